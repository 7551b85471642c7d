"""The one rule of the network security group: SSH from this computer's address."""

import ipaddress
import urllib.request
from dataclasses import replace

from ..errors import ConfigurationError
from ..plan.network import SSH_RULE
from ..plan.requests import ResourceRequest
from ..plan.resource_types import NETWORK_API, NSG, Json
from ..record.abort import require_alive
from ..record.file import RecordFile
from ..resource_ids import group_scope, resource_id
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.threads import TimedOut, within
from .provision import create

PUBLIC_IP_TIMEOUT_S = 5.0


def own_address(service: str) -> str:
    """Ask `service`, a URL, for this computer's public address; returns it as a /32 network.

    Blocking. Raises ConfigurationError.
    """

    def ask() -> str:
        with urllib.request.urlopen(service, timeout=PUBLIC_IP_TIMEOUT_S) as reply:  # noqa: S310
            return str(reply.read(100).decode("ascii"))

    try:
        if not service.startswith("https://"):
            raise ValueError("the address does not begin with https://")
        # an address and nothing wider, whatever the service says, and however slowly
        return f"{ipaddress.IPv4Address(within(2 * PUBLIC_IP_TIMEOUT_S, ask).strip())}/32"
    except (OSError, ValueError, TimedOut) as error:
        cause = getattr(error, "reason", error)  # of urllib's errors
        why = getattr(cause, "strerror", None) or cause
        raise ConfigurationError(
            f"ssh_source is 'auto', but {service} did not tell this computer's public address "
            f"({why}). Set c.AzureVMLauncher.ssh_source = 'A.B.C.D/32'."
        ) from error


async def let_in(file: RecordFile) -> str:
    """Allow SSH from this computer's address, if ssh_source is "auto" and it has another one now.

    Returns the new source, or an empty string if there is nothing to change. Raises
    AzureLauncherError if the address can't be found out, or the rule not be changed.
    """
    plan = require_alive(file).plan
    source = await bridge(own_address, plan.public_ip_service) if plan.own_source else ""
    if source == plan.own_source:
        return ""
    sources = tuple(source if old == plan.own_source else old for old in plan.ssh_sources)
    await _change_rule(file, sources)
    with file.edit() as record:
        record.plan = replace(record.plan, ssh_sources=sources, own_source=source)
    return source


async def _change_rule(file: RecordFile, sources: tuple[str, ...]) -> None:
    """Put the security group as it is, but for the sources in our rule; others' rules stay."""
    record = require_alive(file)
    plan, name = record.plan, record.plan.names.network_security_group
    identity = resource_id(group_scope(plan.subscription_id, plan.resource_group), NSG, name)
    group = ResourceRequest(NSG, name, identity, NETWORK_API, (), {})
    with AzureApi(record.endpoint, plan.subscription_id) as api:
        found = await bridge(api.get, group)
        rules: list[Json] = found["properties"]["securityRules"]
        for rule in rules:
            if rule["name"] == SSH_RULE:
                rule["properties"]["sourceAddressPrefixes"] = list(sources)
        body: Json = {
            "location": found["location"],
            "tags": found.get("tags") or {},
            "properties": {"securityRules": rules},
        }
        changed = replace(group, body=body)
        await create(file, lambda: api.put(changed), lambda: api.delete(group.id))
