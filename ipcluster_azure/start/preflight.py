"""Everything that can be found out before anything is created: settings -> a checked Place."""

import asyncio
from dataclasses import dataclass, replace

from azure_emulator import client as emulator

from ..endpoint import Endpoint
from ..errors import ConfigurationError, EndpointUnreachable
from ..plan.cluster_plan import DEFAULT_ADDRESS_PREFIX
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.credentials import check_login
from ..resource_manager.subscription import find_subscription
from ..settings.values import Settings
from .ssh_rule import own_address

SSH_PORT = 22


@dataclass(frozen=True)
class Place:
    """Where a cluster is going to be: settings with nothing left empty, and who may come in.

    `own_source` is this computer's own address among them, if ssh_source is "auto".
    """

    settings: Settings
    endpoint: Endpoint
    ssh_sources: tuple[str, ...]
    own_source: str = ""


async def find_place(settings: Settings) -> Place:
    """Complete the settings. Starts the emulator if that is the endpoint.

    Raises ConfigurationError or EndpointUnreachable; asks nothing of Azure itself.
    """
    if settings.uses_emulator:
        return await bridge(_emulated_place, settings)
    subscription, own = await asyncio.gather(
        bridge(find_subscription, settings.subscription_id), bridge(_own_source, settings)
    )
    sources = tuple(own if source == "auto" else source for source in settings.ssh_source)
    complete = replace(
        settings,
        subscription_id=subscription,
        ssh_port=settings.ssh_port or SSH_PORT,
        address_prefix=settings.address_prefix or DEFAULT_ADDRESS_PREFIX,
    )
    audience = settings.audience or settings.endpoint
    endpoint = Endpoint(settings.endpoint, audience.rstrip("/"), tenant_id=settings.tenant_id)
    return Place(complete, endpoint, sources, own)


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


def _own_source(settings: Settings) -> str:
    return own_address(settings.public_ip_service) if "auto" in settings.ssh_source else ""


async def check_access(api: AzureApi, settings: Settings, new_group: str) -> bool:
    """Log in and see that the subscription, and the group if one is set, can be used.

    Returns whether `new_group`, the name of a group for the cluster, is free.
    """
    await bridge(check_login, api.endpoint, settings.subscription_id)
    exists = await bridge(api.group_exists, settings.resource_group or new_group)
    if settings.resource_group and not exists:
        raise ConfigurationError(
            f"Resource group {settings.resource_group} does not exist in subscription "
            f"{settings.subscription_id}. Create it with `az group create`, or leave "
            "c.AzureVMLauncher.resource_group empty for one of its own."
        )
    return bool(settings.resource_group) or not exists
