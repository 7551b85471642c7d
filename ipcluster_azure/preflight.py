"""Everything that can be found out before anything is created: settings -> a checked Place."""

import asyncio
import difflib
import ipaddress
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .azure_api import AzureApi, SizeOffer, bridge
from .azure_login import check_login
from .emulator import client as emulator
from .errors import CapacityUnavailable, ConfigurationError, EndpointUnreachable
from .plan import DEFAULT_ADDRESS_PREFIX, VmSize
from .record import Endpoint
from .record_file import write_private
from .settings import Settings
from .subscription import find_subscription

SSH_PORT = 22
SIZES_FRESH_S = 24 * 3600.0
PUBLIC_IP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Place:
    """Where a cluster is going to be: settings with nothing left empty, and who may come in."""

    settings: Settings
    endpoint: Endpoint
    ssh_sources: tuple[str, ...]


async def find_place(settings: Settings) -> Place:
    """Complete the settings. Starts the emulator if that is the endpoint.

    Raises ConfigurationError or EndpointUnreachable; asks nothing of Azure itself.
    """
    if settings.uses_emulator:
        return await bridge(_emulated_place, settings)
    subscription, sources = await asyncio.gather(
        bridge(find_subscription, settings.subscription_id), bridge(_ssh_sources, settings)
    )
    complete = replace(
        settings,
        subscription_id=subscription,
        ssh_port=settings.ssh_port or SSH_PORT,
        address_prefix=settings.address_prefix or DEFAULT_ADDRESS_PREFIX,
    )
    audience = settings.audience or settings.endpoint
    return Place(complete, Endpoint(settings.endpoint, audience.rstrip("/")), sources)


def _emulated_place(settings: Settings) -> Place:
    try:
        info = emulator.start()
        offer = emulator.offer(info)
    except (emulator.EmulatorError, OSError) as error:
        raise EndpointUnreachable(f"The emulator can't be used: {error}") from error
    complete = replace(
        settings,
        subscription_id=settings.subscription_id or info.subscription_id,
        ssh_port=settings.ssh_port or int(offer["ssh_port"]),
        address_prefix=settings.address_prefix or str(offer["address_prefix"]),
    )
    endpoint = Endpoint(info.endpoint, info.endpoint, str(info.ca_file), str(info.token_file))
    sources = tuple(
        str(offer["ssh_source"]) if source == "auto" else source for source in settings.ssh_source
    )
    return Place(complete, endpoint, sources)


def _ssh_sources(settings: Settings) -> tuple[str, ...]:
    return tuple(
        _own_address(settings.public_ip_service) if source == "auto" else source
        for source in settings.ssh_source
    )


def _own_address(service: str) -> str:
    """This computer's public address as a /32 network."""
    try:
        if not service.startswith("https://"):
            raise ValueError("the address does not begin with https://")
        with urllib.request.urlopen(service, timeout=PUBLIC_IP_TIMEOUT_S) as reply:  # noqa: S310
            return str(ipaddress.IPv4Network(reply.read(100).decode("ascii").strip()))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"ssh_source is 'auto', but {service} did not tell this computer's public address "
            f"({error}). Set c.AzureVMLauncher.ssh_source = 'A.B.C.D/32'."
        ) from error


async def check_access(api: AzureApi, settings: Settings) -> None:
    """Log in and see that the subscription, and the group if one is set, can be used."""
    await bridge(check_login, api.endpoint)
    exists = await bridge(api.group_exists, settings.resource_group or "ipcluster-azure-probe")
    if settings.resource_group and not exists:
        raise ConfigurationError(
            f"Resource group {settings.resource_group} does not exist in subscription "
            f"{settings.subscription_id}. Create it with `az group create`, or leave "
            "c.AzureVMLauncher.resource_group empty for one of its own."
        )


async def choose_size(api: AzureApi, settings: Settings, cache_dir: Path) -> VmSize:
    """The first of settings.vm_size that the subscription may use in the location."""
    fetch = api.sizes
    if not settings.uses_emulator:
        cache = cache_dir / f"azure-sizes-{api.subscription_id}-{settings.location}.json"
        return pick_size(settings, await bridge(_cached, cache, fetch, settings.location))
    return pick_size(settings, await bridge(fetch, settings.location))


def _cached(
    cache: Path, fetch: Callable[[str], dict[str, SizeOffer]], location: str
) -> dict[str, SizeOffer]:
    """Azure's answer has several MB and changes rarely: a day's file in the profile will do."""
    try:
        if time.time() - cache.stat().st_mtime < SIZES_FRESH_S:
            stored = json.loads(cache.read_text(encoding="utf-8"))
            return {name: SizeOffer(**offer) for name, offer in stored.items()}
    except (OSError, ValueError, TypeError):
        pass
    sizes = fetch(location)
    write_private(cache, json.dumps({name: asdict(offer) for name, offer in sizes.items()}))
    return sizes


def pick_size(settings: Settings, offers: Mapping[str, SizeOffer]) -> VmSize:
    """Raises ConfigurationError for an unknown size, CapacityUnavailable if none may be used."""
    refusals = []
    for name in settings.vm_size:
        offer = offers.get(name.lower())
        if offer is None:
            close = difflib.get_close_matches(name.lower(), list(offers), n=1)
            hint = f"; did you mean {close[0]}" if close else ""
            raise ConfigurationError(
                f"vm_size {name!r} is not offered in {settings.location}{hint}? "
                f"`az vm list-skus --location {settings.location} --output table` lists them."
            )
        if not offer.refused:
            return VmSize(name, offer.vcpus)
        refusals.append(f"{name}: {offer.refused}")
    raise CapacityUnavailable(
        f"No vm_size can be used in {settings.location} ({'; '.join(refusals)}). Set another "
        "vm_size or location."
    )
