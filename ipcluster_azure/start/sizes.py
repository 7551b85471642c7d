"""Which VM sizes a cluster may use, and in which order they are tried."""

import asyncio
import difflib
import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import CapacityUnavailable, ConfigurationError, QuotaExceeded
from ..plan.cluster_plan import SizeOffer, VmSize
from ..plan.quota import Need, Usage, shortage
from ..private_files import write_private
from ..resource_manager.api import AzureApi, bridge
from ..settings.values import Settings

SIZES_FRESH_S = 24 * 3600.0


@dataclass(frozen=True)
class Market:
    """What Azure offers in a location, and what the subscription has left of its quotas."""

    offers: Mapping[str, SizeOffer]
    usages: Mapping[str, Usage]


async def look(api: AzureApi, settings: Settings, cache_dir: Path) -> Market:
    """Ask Azure; the sizes are remembered for a day, as the answer has several MB."""
    location = settings.location
    fetch = functools.partial(_offers, api)
    if settings.uses_emulator:
        sizes = bridge(fetch, location)
    else:
        cache = cache_dir / f"azure-sizes-{api.subscription_id}-{location}.json"
        sizes = bridge(_cached, cache, fetch, location)
    return Market(*await asyncio.gather(sizes, bridge(_usages, api, location)))


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
    zones = tuple(sorted(offered - set(closed)))
    return SizeOffer(int(vcpus), refused, sku.get("family", ""), zones)


def _usages(api: AzureApi, location: str) -> dict[str, Usage]:
    """Quotas of a location by lower-case name."""
    return {
        item["name"]["value"].lower(): Usage(
            item["name"]["localizedValue"], int(item["limit"]), int(item["currentValue"])
        )
        for item in api.usages(location)
    }


def _cached(
    cache: Path, fetch: Callable[[str], dict[str, SizeOffer]], location: str
) -> dict[str, SizeOffer]:
    try:
        if 0 <= time.time() - cache.stat().st_mtime < SIZES_FRESH_S:
            stored = json.loads(cache.read_text(encoding="utf-8"))
            return {
                name: SizeOffer(**{**offer, "zones": tuple(offer["zones"])})
                for name, offer in stored.items()
            }
    except (OSError, ValueError, TypeError, KeyError):
        pass
    sizes = fetch(location)
    with suppress(OSError):  # the next start asks again
        write_private(cache, json.dumps({name: asdict(offer) for name, offer in sizes.items()}))
    return sizes


def controller_sizes(settings: Settings, market: Market) -> list[VmSize]:
    """Sizes for the controller's machine, best first; raises as engine_sizes does."""
    return _affordable(settings, market, lambda size: [Need(size, 1, "Regular")])


def engine_sizes(
    settings: Settings, market: Market, n: int, controller: VmSize | None
) -> list[VmSize]:
    """Sizes for the machines of n engines, best first: all in the first zone, then in the next.

    `controller`: the size of a controller that is to be requested as well.

    Raises ConfigurationError for an unknown size, CapacityUnavailable if the subscription may use
    none of them, QuotaExceeded if it has no quota for any that it may use.
    """
    others = [Need(controller, 1, "Regular")] if controller else []

    def needs(size: VmSize) -> list[Need]:
        vm_count = -(-n // (settings.engines_per_vm or size.vcpus))
        return [Need(size, vm_count, settings.priority), *others]

    return _affordable(settings, market, needs)


def _affordable(
    settings: Settings, market: Market, needs: Callable[[VmSize], Sequence[Need]]
) -> list[VmSize]:
    found = usable(settings, market.offers)
    lacking = [shortage(market.usages, needs(size), settings.location) for size in found]
    left = [size for size, lack in zip(found, lacking, strict=True) if not lack]
    if not left:
        raise QuotaExceeded(lacking[0])
    return left


def usable(settings: Settings, offers: Mapping[str, SizeOffer]) -> list[VmSize]:
    """Every vm_size in every zone that the subscription may use, in the order of the settings."""
    found, refusals = [], []
    for zone in settings.zones or ("",):
        for name in settings.vm_size:
            offer = offers.get(name.lower())
            if offer is None:
                raise _unknown(name, offers, settings.location)
            if offer.refused:
                refusals.append(f"{name}: {offer.refused}")
            elif zone and zone not in offer.zones:
                refusals.append(f"{name}: not in zone {zone}")
            else:
                found.append(VmSize(name, offer.vcpus, offer.family, zone))
    if not found:
        raise CapacityUnavailable(
            f"No vm_size can be used in {settings.location} ({'; '.join(refusals)}). Set another "
            "vm_size, other zones or another location."
        )
    return found


def _unknown(name: str, offers: Mapping[str, SizeOffer], location: str) -> ConfigurationError:
    close = difflib.get_close_matches(name.lower(), list(offers), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return ConfigurationError(
        f"vm_size {name!r} is not offered in {location}.{hint} "
        f"`az vm list-skus --location {location} --output table` lists the sizes that are."
    )
