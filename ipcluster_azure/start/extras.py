"""What users add to requests, compared with what Azure knows and with what VM sizes can have."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigurationError
from ..plan.extra_fit import member, unmet, unmet_network
from ..plan.image import Image, misfit
from ..plan.prices import REGULAR
from ..plan.vm_sizes import SizeOffer
from ..resource_manager.known_members import (
    NETWORK_INTERFACE,
    SCALE_SET,
    VIRTUAL_MACHINE,
    unknown_member,
)
from ..settings.values import Settings
from .size_choice import nearest_fitting, size_that_fits

EXTRA_VM, EXTRA_SCALE_SET, EXTRA_NIC = "extra_vm", "extra_scale_set", "extra_nic"
# Where machines' own members are in the bodies. Interfaces are looked at with the engines: of the
# controller's, which are a resource of their own, the SDK for machines has no model.
MACHINE = {EXTRA_VM: ("properties",), EXTRA_SCALE_SET: ("properties", "virtualMachineProfile")}
MODELS = {EXTRA_VM: VIRTUAL_MACHINE, EXTRA_SCALE_SET: SCALE_SET, EXTRA_NIC: NETWORK_INTERFACE}


def check_extras(
    name: str,
    settings: Settings,
    wanted: Sequence[SizeOffer],
    offers: Mapping[str, SizeOffer],
    image: Image,
) -> None:
    """Raise ConfigurationError for members that Azure doesn't know, or that one of the sizes can't
    have. `name` is extra_vm or extra_scale_set, whichever the sizes are for."""
    extra = getattr(settings, name)
    if not extra and not settings.extra_nic:
        return
    _require_known(name, extra)
    if name == EXTRA_SCALE_SET:
        _require_known(EXTRA_NIC, settings.extra_nic)
    machine, nic = member(extra, *MACHINE[name]), member(settings.extra_nic, "properties")
    _require_cached(name, machine)
    priority = settings.priority if name == EXTRA_SCALE_SET else REGULAR

    def of_machine(offer: SizeOffer) -> str:
        return unmet(machine, offer, image, settings.os_disk_gb)

    def of_network(offer: SizeOffer) -> str:
        return unmet_network(nic, offer)

    def fits(offer: SizeOffer) -> bool:
        return not (
            misfit(image, offer, priority=priority) or of_machine(offer) or of_network(offer)
        )

    for source, reason in ((name, of_machine), (EXTRA_NIC, of_network)):
        for offer in filter(reason, wanted):
            fitting = nearest_fitting(offer, offers, fits)
            raise ConfigurationError(
                f"vm_size {offer.name} {reason(offer)}, which {source} asks for. Take "
                f"{size_that_fits(fitting)}, or leave that out of c.AzureVMLauncher.{source}."
            )


def _require_known(name: str, extra: Mapping[str, Any]) -> None:
    path, nearest = unknown_member(MODELS[name], extra)
    if path:
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise ConfigurationError(
            f"{name} has {path}, which Azure does not know.{hint} https://learn.microsoft.com"
            "/azure/templates lists what it knows."
        )


def _require_cached(name: str, machine: Any) -> None:
    disk = member(machine, "storageProfile", "osDisk")
    if member(disk, "diffDiskSettings", "option") and member(disk, "caching") != "ReadOnly":
        raise ConfigurationError(
            f'{name}: an ephemeral OS disk must be cached for reading alone: add "caching": '
            '"ReadOnly" to its osDisk.'
        )
