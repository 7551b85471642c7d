"""Whether a given subnet lets SSH in, and its machines talk to each other: before the first write,
and once more by the rules in effect when the controller's machine has stayed silent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import (
    AccessDenied,
    AzureLauncherError,
    BootTimeout,
    ConfigurationError,
    RequestRefused,
)
from ..plan.cluster_plan import ClusterPlan
from ..plan.resource_types import NETWORK_API, NIC, NSG, Json
from ..plan.security_rules import (
    CLIENT_PORTS,
    End,
    Network,
    Rule,
    Traffic,
    denying_rule,
    free_priority,
)
from ..record.contents import Record
from ..resource_ids import ResourceId, collection_path, group_scope, parse_id, resource_id
from ..resource_manager.api import AzureApi, bridge
from ..settings.values import Settings
from .preflight import Place

EMULATED_SOURCE = "127.0.0.1/32"  # where all connections of this computer's to the loopback begin
EFFECTIVE_RULES_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class _Subnet:
    """A given subnet and its security group; `networks` are the subnet's addresses."""

    id: ResourceId
    networks: Sequence[Network]
    has_routes: bool
    group_id: str
    rules: Sequence[Json]


async def check_subnet(api: AzureApi, place: Place) -> None:
    """Raise ConfigurationError if subnet_id doesn't exist, or its security group surely keeps out
    all SSH connections of ours, or those among the machines.

    Does nothing for a network of the cluster's own, or if the user may not read this one.
    """
    settings = place.settings
    if not settings.subnet_id:
        return
    try:
        subnet = await _read(api, settings.subnet_id)
    except (AccessDenied, RequestRefused):
        return
    if subnet is None:
        raise ConfigurationError(
            f"subnet_id {settings.subnet_id} does not exist. `az network vnet subnet list -g "
            "GROUP --vnet-name NETWORK --query [].id` lists those of a network."
        )
    if not subnet.rules:
        return
    denied = [_denied(subnet, place, source) for source in _sources(place)]
    if denied and all(denied) and not await bridge(_always_allowed, api, settings.subnet_id):
        first = next(rule for rule in denied if rule)
        raise ConfigurationError(_no_ssh(subnet, settings, _sources(place), first))
    if rule := _denied_inside(subnet, settings.ssh_port):
        raise ConfigurationError(_no_talk(subnet, rule))


async def _read(api: AzureApi, subnet_id: str) -> _Subnet | None:
    """Read a subnet and its security group, None if there is no such subnet.

    A group mostly lies where its network does. So those there are listed beside: to ask for the
    one that the subnet names would be another round trip of every start.
    """
    found, near = await asyncio.gather(
        bridge(partial(api.find, subnet_id, doing=f"looking at subnet {subnet_id}")),
        bridge(_groups_near, api, subnet_id),
    )
    if found is None:
        return None
    properties = found["properties"]
    prefixes = [properties.get("addressPrefix"), *(properties.get("addressPrefixes") or ())]
    networks = [Network(text) for text in dict.fromkeys(prefixes) if text and ":" not in text]
    group_id = str((properties.get("networkSecurityGroup") or {}).get("id") or "")
    group = near.get(group_id.lower())
    if group_id and group is None:
        group = await bridge(partial(api.find, group_id, doing=f"looking at {group_id}"))
    rules: list[Json] = []
    if group is not None:
        said = group["properties"]
        rules = [*(said.get("securityRules") or ()), *(said.get("defaultSecurityRules") or ())]
    routes = bool(properties.get("routeTable"))
    return _Subnet(parse_id(subnet_id), networks, routes, group_id, rules)


def _groups_near(api: AzureApi, subnet_id: str) -> dict[str, Json]:
    """The security groups in the resource group of a subnet, by id in lower case."""
    path = collection_path(f"resourceGroups/{parse_id(subnet_id).resource_group}", NSG)
    try:
        found = api.listed(path, NETWORK_API, doing="listing security groups")
    except (AccessDenied, RequestRefused):
        return {}
    return {str(group["id"]).lower(): group for group in found}


def _sources(place: Place) -> list[str]:
    """Where this computer's SSH connections come from, as far as that is known."""
    if place.settings.uses_emulator:
        return [EMULATED_SOURCE]
    return [place.own_source] if place.own_source else list(place.ssh_sources)


def _denied(subnet: _Subnet, place: Place, source: str) -> Rule | None:
    network = Network(source)
    # with a route of one's own for all addresses they count as VirtualNetwork, too
    public = network.is_global or place.settings.uses_emulator
    outside = place.settings.public_ip and public and not subnet.has_routes
    return _denied_from(subnet, End(network, False if outside else None), place.settings.ssh_port)


def _denied_from(subnet: _Subnet, source: End, port: int) -> Rule | None:
    """The rule that denies connections to all of a subnet's addresses."""
    found = [
        denying_rule(subnet.rules, Traffic(source, End(network, True), (port, port)))
        for network in subnet.networks
    ]
    return found[0] if found and all(found) else None


def _denied_inside(subnet: _Subnet, ssh_port: int) -> Rule | None:
    """The rule that keeps the machines from talking to each other, on the ports that they need."""
    for ports in ((ssh_port, ssh_port), CLIENT_PORTS):
        for network in subnet.networks:
            end = End(network, True)
            for direction in ("Inbound", "Outbound"):
                if rule := denying_rule(subnet.rules, Traffic(end, end, ports, direction)):
                    return rule
    return None


def _always_allowed(api: AzureApi, subnet_id: str) -> bool:
    """Whether an administrator's rules of the whole network, which come first, let anything in
    whatever the security groups say; False if the user may not see them."""
    network = subnet_id.partition("/subnets/")[0].split("/", 3)[3]
    try:
        found = api.act(
            f"{network}/listNetworkManagerEffectiveSecurityAdminRules",
            NETWORK_API,
            {},
            doing="reading the network's admin rules",
        )
    except (AccessDenied, RequestRefused):
        return False
    said = [(item.get("properties") or {}) for item in found.get("value") or ()]
    return any(
        item.get("access") == "AlwaysAllow" and item.get("direction") == "Inbound" for item in said
    )


def _no_ssh(subnet: _Subnet, settings: Settings, sources: Sequence[str], rule: Rule) -> str:
    group, allowed = parse_id(subnet.group_id), " ".join(sources)
    return (
        f"The security group {group.name} of subnet {subnet.id.name} lets no SSH in from "
        f"{allowed}: its {rule} denies port {settings.ssh_port}. Allow it by `az network nsg rule "
        f"create -g {group.resource_group} --nsg-name {group.name} -n ipcluster-ssh --priority "
        f"{free_priority(subnet.rules, rule.priority)} --direction Inbound --access Allow "
        f"--protocol Tcp --source-address-prefixes {allowed} --destination-port-ranges "
        f"{settings.ssh_port}`, or set another c.AzureVMLauncher.subnet_id."
    )


def _no_talk(subnet: _Subnet, rule: Rule) -> str:
    group = parse_id(subnet.group_id)
    return (
        f"The security group {group.name} of subnet {subnet.id.name} does not let the cluster's "
        f"machines talk to each other: its {rule} denies that. Allow it by `az network nsg rule "
        f"create -g {group.resource_group} --nsg-name {group.name} -n ipcluster-inside --priority "
        f"{free_priority(subnet.rules, rule.priority)} --direction Inbound --access Allow "
        "--source-address-prefixes VirtualNetwork --destination-address-prefixes VirtualNetwork "
        "--destination-port-ranges '*'` (and with --direction Outbound likewise), or set another "
        "c.AzureVMLauncher.subnet_id."
    )


async def explained(api: AzureApi, record: Record, error: BootTimeout) -> BootTimeout:
    """The controller's time-out with what Azure says of the rules in effect, if it says so."""
    plan = record.plan
    group = group_scope(plan.subscription_id, plan.resource_group)
    nic = resource_id(group, NIC, plan.names.controller_nic)
    try:
        groups = await bridge(api.effective_rules, nic, EFFECTIVE_RULES_TIMEOUT_S)
    except AzureLauncherError:
        return error
    said = _in_effect(groups, record)
    return BootTimeout(error.message, f"{said} {error.causes}") if said else error


def _in_effect(groups: Sequence[Json], record: Record) -> str:
    """What the rules in effect say of SSH from the addresses that may use it."""
    plan = record.plan
    sources = [plan.own_source] if plan.own_source else list(plan.ssh_sources)
    if plan.ssh_sources == ("127.0.0.0/8",):
        sources = [EMULATED_SOURCE]
    destination = End(Network(f"{record.controller.address}/32"), True)
    for item in groups:
        rules: list[Json] = item.get("effectiveSecurityRules") or []
        name = str((item.get("networkSecurityGroup") or {}).get("id", "?")).rpartition("/")[2]
        place = "subnet" if (item.get("association") or {}).get("subnet") else "interface"
        denied = [
            denying_rule(rules, _in_effect_from(plan, source, destination)) for source in sources
        ]
        if denied and all(denied):
            return (
                f"The rules in effect on Azure deny it: security group {name} of the {place}, "
                f"{denied[0]}."
            )
    return "The security rules in effect on Azure let SSH in." if groups else ""


def _in_effect_from(plan: ClusterPlan, source: str, destination: End) -> Traffic:
    network = Network(source)
    outside = plan.public_ip and (network.is_global or source == EMULATED_SOURCE)
    ports = (plan.ssh_port, plan.ssh_port)
    return Traffic(End(network, False if outside else None), destination, ports)
