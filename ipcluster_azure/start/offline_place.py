"""Where a cluster can be, and on what machines, as far as that is known without Azure."""

from dataclasses import replace

from ..endpoint import Endpoint
from ..errors import ConfigurationError
from ..plan.cluster_plan import DEFAULT_ADDRESS_PREFIX
from ..plan.vcpus import full_name, vcpus_of
from ..plan.vm_sizes import VmSize
from ..resource_manager.api import bridge
from ..settings.values import Settings
from .preflight import SSH_PORT, Place, find_place
from .ssh_rule import own_address


async def offline_place(settings: Settings) -> Place:
    """Complete the settings without Azure, and without a subscription: the deployment's counts.

    The emulator is on this computer, and says what addresses it has.
    """
    if settings.uses_emulator:
        return await find_place(settings)
    own = ""
    if "auto" in settings.ssh_source:
        try:
            own = await bridge(own_address, settings.public_ip_service)
        except ConfigurationError:  # then it is a parameter without a default
            own = ""
    sources = tuple(own if source == "auto" else source for source in settings.ssh_source)
    complete = replace(
        settings,
        subscription_id=settings.subscription_id,
        ssh_port=settings.ssh_port or SSH_PORT,
        address_prefix=settings.address_prefix or DEFAULT_ADDRESS_PREFIX,
    )
    audience = settings.audience or settings.endpoint
    endpoint = Endpoint(settings.endpoint, audience.rstrip("/"), tenant_id=settings.tenant_id)
    return Place(complete, endpoint, tuple(filter(None, sources)), own)


def size_by_name(settings: Settings, *, engines: bool) -> VmSize:
    """Return the first size and zone of the settings: there is nobody to ask for others."""
    name = full_name(settings.vm_size[0])
    try:
        vcpus = vcpus_of(name)
    except ConfigurationError:
        if engines and not settings.engines_per_vm:
            raise
        vcpus = max(1, settings.engines_per_vm)
    return VmSize(name, vcpus, zone=settings.zones[0] if settings.zones else "")
