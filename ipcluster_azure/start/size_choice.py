"""VM sizes as users name them, and whether they fit what the machines are made of. Pure."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..errors import ConfigurationError
from ..plan.image import Image, misfit
from ..plan.vm_sizes import SizeOffer, VmSize
from ..settings.environment_checks import IMAGE
from ..settings.image_reference import MARKETPLACE, parse_image
from ..settings.values import Settings

SERIES = "standard_"  # what nearly all names begin with; the portal's pages leave it out
UBUNTU = "canonical:ubuntu-24_04-lts:"  # the default image, of which there is one for all sizes
UBUNTU_SKUS = {
    ("Arm64", "V2"): "server-arm64",
    ("x64", "V2"): "server",
    ("x64", "V1"): "server-gen1",
}


def find_named(name: str, offers: Mapping[str, SizeOffer]) -> SizeOffer | None:
    """The offer of a size by its name, which may lack `Standard_`, or have blanks for underscores;
    None if there is none. `offers` are by lower-case name."""
    wanted = _lower(name)
    for candidate in (wanted, f"{SERIES}{wanted}"):
        if offer := offers.get(candidate):
            return offer if offer.name else replace(offer, name=name)
    return None


def _lower(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def named(name: str, offers: Mapping[str, SizeOffer], location: str) -> SizeOffer:
    """The offer of a size, as find_named finds it. Raises ConfigurationError if there is none."""
    if offer := find_named(name, offers):
        return offer
    wanted = _lower(name)
    if not offers:
        raise ConfigurationError(
            f"No VM size at all is offered in {location}. `az account list-locations --output "
            "table` lists the regions that there are."
        )
    whole = wanted if wanted.startswith(SERIES) else f"{SERIES}{wanted}"
    close = difflib.get_close_matches(whole, list(offers), n=1, cutoff=0.8)
    hint = f" Did you mean {offers[close[0]].name or close[0]}?" if close else ""
    raise ConfigurationError(
        f"vm_size {name!r} is not offered in {location}.{hint} "
        f"`az vm list-skus --location {location} --output table` lists the sizes that are."
    )


def unknown_region(location: str, refusal: str) -> ConfigurationError:
    """What to tell of a region that there isn't; Azure's `refusal` lists those that there are."""
    words = set(re.findall(r"[a-z]{2,}[a-z0-9]*", refusal)) - {location}
    close = difflib.get_close_matches(location, sorted(words), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return ConfigurationError(
        f"location {location!r} is not a region that your subscription can use.{hint} `az account "
        "list-locations --output table` lists them."
    )


def require_fit(
    wanted: Sequence[SizeOffer],
    offers: Mapping[str, SizeOffer],
    settings: Settings,
    image: Image,
    priority: str,
) -> None:
    """Raise ConfigurationError if one of the sizes can't boot the image, or its disk is too small.

    The message names a size, and an image where one is known, that fit.
    """
    for offer in wanted:
        if reason := misfit(image, offer, priority=priority):
            raise ConfigurationError(
                f"vm_size {offer.name} {reason} (image {settings.image}). "
                f"{_way_out(offer, offers, settings, image, priority)}"
            )
    if 0 < settings.os_disk_gb < image.size_gb:
        raise ConfigurationError(
            f"os_disk_gb = {settings.os_disk_gb} is less than the image's {image.size_gb} GiB "
            f"(image {settings.image}). Set at least c.AzureVMLauncher.os_disk_gb = "
            f"{image.size_gb}, or 0 for the image's own size."
        )


def require_one_architecture(
    settings: Settings, sizes: Sequence[VmSize], controller: str, offers: Mapping[str, SizeOffer]
) -> None:
    """Raise ConfigurationError if engines can't run the Python that the controller's machine makes.

    `controller`: the name of its size.
    """
    built_for = _architecture(controller, offers)
    for size in sizes:
        own = _architecture(size.name, offers)
        if settings.python_environment != IMAGE and built_for and own and own != built_for:
            raise ConfigurationError(
                f"The engines' {size.name} has {own} processors and the controller's {controller} "
                f"{built_for}: the Python that is made on the controller's machine does not run on "
                "the engines'. Set one kind of vm_size (and image) for both, or "
                "c.AzureVMLauncher.python_environment = 'image'."
            )


def _architecture(name: str, offers: Mapping[str, SizeOffer]) -> str:
    offer = offers.get(name.lower())
    return offer.architecture if offer else ""


def _way_out(
    offer: SizeOffer,
    offers: Mapping[str, SizeOffer],
    settings: Settings,
    image: Image,
    priority: str,
) -> str:
    fitting = nearest_fitting(
        offer, offers, lambda other: not misfit(image, other, priority=priority)
    )
    sizes = size_that_fits(fitting)
    if not misfit(image, offer):  # it is the priority alone
        return f"Take {sizes}, or c.AzureVMLauncher.priority = 'Regular'."
    return f"Take {sizes}, or {_other_image(offer, settings, image)}."


def size_that_fits(name: str) -> str:
    """What to take instead: the size of that name, or another if none is known that fits."""
    return f"a size that fits, such as {name}" if name else "another size"


def nearest_fitting(
    offer: SizeOffer, offers: Mapping[str, SizeOffer], fits: Callable[[SizeOffer], bool]
) -> str:
    """The name of the size most like this one that fits, with as many vCPUs; empty if none does."""
    fitting = {
        key: other.name or key
        for key, other in offers.items()
        if other.vcpus == offer.vcpus and not other.refused and fits(other)
    }
    close = difflib.get_close_matches(offer.name.lower(), list(fitting), n=1, cutoff=0.0)
    return fitting[close[0]] if close else ""


def _other_image(offer: SizeOffer, settings: Settings, image: Image) -> str:
    """An image that the size boots: by name where it is known, else by how to find one."""
    reference = parse_image(settings.image)
    if reference.kind != MARKETPLACE:
        return "an image that is made for it"
    generations = offer.generations or ["V2"]
    generation = image.generation if image.generation in generations else generations[-1]
    sku = UBUNTU_SKUS.get((offer.architecture or image.architecture, generation))
    if settings.image.lower().startswith(UBUNTU) and sku and sku != reference.parts["sku"]:
        return f"c.AzureVMLauncher.image = 'Canonical:ubuntu-24_04-lts:{sku}:latest'"
    publisher, name = reference.parts["publisher"], reference.parts["offer"]
    architecture = f"--architecture {offer.architecture} " if offer.architecture else ""
    return (
        f"an image that is made for it: `az vm image list --all --location {settings.location} "
        f"--publisher {publisher} --offer {name} {architecture}--output table`"
    )
