"""Which VM sizes a cluster may use, and in which order they are tried."""

import asyncio
import functools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import CapacityUnavailable, QuotaExceeded, RequestRefused
from ..plan.image import NO_IMAGE, Image, security_type
from ..plan.prices import NO_PRICES, Prices
from ..plan.quota import Need, Usage, shortage
from ..plan.vm_sizes import CAPABILITIES, SizeOffer, VmSize
from ..private_files import write_private
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.images import find_image
from ..resource_manager.prices import known_prices
from ..settings.image_reference import parse_image
from ..settings.values import Settings
from .extras import EXTRA_SCALE_SET, EXTRA_VM, check_extras
from .size_choice import find_named, named, require_fit, unknown_region

SIZES_FRESH_S = 24 * 3600.0
UNKNOWN_REGION_CODES = ("LocationNotAvailableForResourceType", "NoRegisteredProviderFound")
OFFER_FIELDS = {item.name for item in fields(SizeOffer)}


@dataclass(frozen=True)
class Market:
    """What Azure offers in a location, what the subscription has left of its quotas, the image that
    machines are to be made of, and the prices of the sizes that are named."""

    offers: Mapping[str, SizeOffer]
    usages: Mapping[str, Usage]
    image: Image = NO_IMAGE
    prices: Prices = NO_PRICES


async def look(
    api: AzureApi, settings: Settings, cache_dir: Path, also: Sequence[str] = ()
) -> Market:
    """Ask Azure; the sizes are remembered for a day, as the answer has several MB.

    `also`: names of sizes whose prices are of interest besides those of the settings.
    """
    location = settings.location
    fetch = functools.partial(_offers, api)
    if settings.uses_emulator:
        asking = bridge(fetch, location)
    else:
        cache = cache_dir / f"azure-sizes-{api.subscription_id}-{location}.json"
        asking = bridge(_cached, cache, fetch, location)
    sizes = asyncio.ensure_future(asking)
    looking = find_image(api, parse_image(settings.image), location)
    pricing = _prices(api, location, sizes, [*settings.vm_size, *also])
    return Market(*await asyncio.gather(sizes, bridge(_usages, api, location), looking, pricing))


async def _prices(
    api: AzureApi,
    location: str,
    sizes: "asyncio.Future[dict[str, SizeOffer]]",
    names: Sequence[str],
) -> Prices:
    """The prices of the sizes so named, by the names that Azure spells as its list does."""
    offers = await sizes
    spelled = {offer.name: None for name in names if (offer := find_named(name, offers))}
    return await bridge(known_prices, api.endpoint, location, [*filter(None, spelled)])


def _offers(api: AzureApi, location: str) -> dict[str, SizeOffer]:
    """VM sizes of a location by lower-case name."""
    sizes = (sku for sku in api.skus(location) if sku.get("resourceType") == "virtualMachines")
    return {sku["name"].lower(): offer_of(sku) for sku in sizes}


def offer_of(sku: Mapping[str, Any]) -> SizeOffer:
    """What an entry of Azure's list of SKUs says of a VM size."""
    capabilities = {item["name"]: item["value"] for item in sku.get("capabilities", ())}
    restrictions = {item.get("type"): item for item in sku.get("restrictions", ())}
    location = restrictions.get("Location")
    refused = location.get("reasonCode", "restricted") if location else ""
    offered = {zone for place in sku.get("locationInfo", ()) for zone in place.get("zones") or ()}
    closed = restrictions.get("Zone", {}).get("restrictionInfo", {}).get("zones") or ()
    vcpus = capabilities.get("vCPUsAvailable") or capabilities.get("vCPUs") or 1
    return SizeOffer(
        int(vcpus),
        refused,
        sku.get("family", ""),
        tuple(sorted(offered - set(closed))),
        sku.get("name", ""),
        {name: capabilities[name] for name in CAPABILITIES if name in capabilities},
        _gpus(capabilities.get("GPUs", "")),
    )


def _gpus(text: str) -> int:
    """The number of GPUs in a list of SKUs; a part of one counts as one."""
    try:
        return math.ceil(float(text))
    except (ValueError, OverflowError):
        return 0


def _usages(api: AzureApi, location: str) -> dict[str, Usage]:
    """Quotas of a location by lower-case name. Raises ConfigurationError if it is none."""
    try:
        found = api.usages(location)
    except RequestRefused as error:
        if error.code in UNKNOWN_REGION_CODES:
            raise unknown_region(location, str(error)) from error
        raise
    return {
        item["name"]["value"].lower(): Usage(
            item["name"]["localizedValue"], int(item["limit"]), int(item["currentValue"])
        )
        for item in found
    }


def _cached(
    cache: Path, fetch: Callable[[str], dict[str, SizeOffer]], location: str
) -> dict[str, SizeOffer]:
    try:
        if 0 <= time.time() - cache.stat().st_mtime < SIZES_FRESH_S:
            stored = json.loads(cache.read_text(encoding="utf-8"))
            if all(offer.keys() == OFFER_FIELDS for offer in stored.values()):
                return {
                    name: SizeOffer(**{**offer, "zones": tuple(offer["zones"])})
                    for name, offer in stored.items()
                }
    except (OSError, ValueError, TypeError, AttributeError):
        pass
    sizes = fetch(location)
    with suppress(OSError):  # the next start asks again
        write_private(cache, json.dumps({name: asdict(offer) for name, offer in sizes.items()}))
    return sizes


def controller_sizes(settings: Settings, market: Market) -> list[VmSize]:
    """Sizes for the controller's machine, best first; raises as engine_sizes does."""
    return _affordable(settings, market, lambda size: [Need(size, 1, "Regular")], EXTRA_VM)


def engine_sizes(
    settings: Settings, market: Market, n: int, controller: VmSize | None
) -> list[VmSize]:
    """Sizes for the machines of n engines, best first: all in the first zone, then in the next.

    `controller`: the size of a controller that is to be requested as well.

    Raises ConfigurationError for a size that is unknown or can't boot the image,
    CapacityUnavailable if the subscription may use none of them, QuotaExceeded if it has no quota
    for any that it may use.
    """
    others = [Need(controller, 1, "Regular")] if controller else []

    def needs(size: VmSize) -> list[Need]:
        vm_count = -(-n // size.engines(settings.engines_per_vm))
        return [Need(size, vm_count, settings.priority), *others]

    return _affordable(settings, market, needs, EXTRA_SCALE_SET, settings.priority)


def _affordable(
    settings: Settings,
    market: Market,
    needs: Callable[[VmSize], Sequence[Need]],
    extra: str,
    priority: str = "Regular",
) -> list[VmSize]:
    found = usable(settings, market.offers, market.image, priority, extra)
    lacking = [shortage(market.usages, needs(size), settings.location) for size in found]
    left = [size for size, lack in zip(found, lacking, strict=True) if not lack]
    if not left:
        raise QuotaExceeded(lacking[0])
    return left


def usable(
    settings: Settings,
    offers: Mapping[str, SizeOffer],
    image: Image = NO_IMAGE,
    priority: str = "Regular",
    extra: str = "",
) -> list[VmSize]:
    """Every vm_size in every zone that the subscription may use, in the order of the settings.

    `extra` names the setting that adds to the machines' request. Raises ConfigurationError if one
    of the sizes is unknown, or can't boot the image or have what is added.
    """
    wanted = [named(name, offers, settings.location) for name in settings.vm_size]
    require_fit(wanted, offers, settings, image, priority)
    if extra:
        check_extras(extra, settings, wanted, offers, image)
    found, refusals = [], []
    for zone in settings.zones or ("",):
        for offer in wanted:
            if offer.refused:
                refusals.append(f"{offer.name}: {offer.refused}")
            elif zone and zone not in offer.zones:
                refusals.append(f"{offer.name}: not in zone {zone}")
            else:
                security = security_type(image, offer)
                found.append(
                    VmSize(offer.name, offer.vcpus, offer.family, zone, security, offer.gpus)
                )
    if not found:
        raise CapacityUnavailable(
            f"No vm_size can be used in {settings.location} ({'; '.join(refusals)}). Set another "
            "vm_size, other zones or another location."
        )
    return found
