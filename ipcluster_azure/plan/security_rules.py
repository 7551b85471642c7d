"""Whether the rules of a network security group let a connection through, where that is sure. Pure.

Azure takes the rules by their priority, and the first that fits decides:
https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview. What a rule's
words cover can't always be seen from here: a service tag's addresses are Azure's to know, and
`VirtualNetwork` is also what is connected to the network. Where the answer hangs on such a rule
there is none.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
Network = ipaddress.IPv4Network
ALL, SOME, NONE = "all", "some", "none"  # of the traffic, that a rule is about
ANY = ("*", "any", "0.0.0.0/0")
CLIENT_PORTS = (1024, 65535)  # the ports that programs choose for themselves
LAST_PRIORITY = 4096  # of rules that users write; Azure's own default rules come behind


@dataclass(frozen=True)
class End:
    """Where a connection begins or ends. `inside`: in the virtual network; None: perhaps."""

    network: Network
    inside: bool | None


@dataclass(frozen=True)
class Traffic:
    """Connections over TCP; `ports` are the first and the last port that they go to."""

    source: End
    destination: End
    ports: tuple[int, int]
    direction: str = "Inbound"


@dataclass(frozen=True)
class Rule:
    """A rule as it is named in messages."""

    name: str
    priority: int

    def __str__(self) -> str:
        return f"rule {self.name} (priority {self.priority})"


def denying_rule(rules: Iterable[Json], traffic: Traffic) -> Rule | None:
    """Return the rule that surely denies all of the traffic, None if it may get through.

    `rules` are all of a group's, the default ones among them: as a group has them, or as Azure
    tells those in effect on a network interface.
    """
    perhaps_allowed = False
    flat = [_flat(rule) for rule in rules]
    for rule in sorted(flat, key=lambda item: int(item.get("priority") or 0)):
        if str(rule.get("direction")).lower() != traffic.direction.lower():
            continue
        covered = _covered(rule, traffic)
        if covered == NONE:
            continue
        if str(rule.get("access")).lower() == "allow":
            perhaps_allowed = True
            if covered == ALL:
                return None
        elif covered == ALL:
            return None if perhaps_allowed else Rule(_name(rule), int(rule["priority"]))
    return None


def free_priority(rules: Iterable[Json], below: int) -> int:
    """The last priority before `below` that no rule has: a rule with it comes before that one."""
    taken = {int(_flat(rule).get("priority") or 0) for rule in rules}
    candidates = range(min(below - 1, LAST_PRIORITY), 99, -1)
    return next((number for number in candidates if number not in taken), 100)


def _flat(rule: Json) -> Json:
    """A rule's members and its name in one."""
    return {"name": rule.get("name"), **(rule.get("properties") or rule)}


def _name(rule: Json) -> str:
    return str(rule.get("name") or "?").rpartition("/")[2]


def _covered(rule: Json, traffic: Traffic) -> str:
    parts = (
        _protocol(rule),
        _ports(_values(rule, "destinationPortRange"), traffic.ports),
        _ports(_values(rule, "sourcePortRange") or ["*"], CLIENT_PORTS),
        _end(rule, "source", traffic.source),
        _end(rule, "destination", traffic.destination),
    )
    if NONE in parts:
        return NONE
    return SOME if SOME in parts else ALL


def _protocol(rule: Json) -> str:
    return ALL if str(rule.get("protocol")).lower() in ("tcp", "*", "all") else NONE


def _values(rule: Json, member: str) -> list[str]:
    """What a rule says in one member or in its plural, as the SDK's types have both."""
    plural = f"{member}es" if member.endswith("x") else f"{member}s"
    return [str(item) for item in (*(rule.get(plural) or ()), rule.get(member)) if item]


def _ports(ranges: Sequence[str], wanted: tuple[int, int]) -> str:
    found = NONE
    for text in ranges:
        first, _, last = text.partition("-")
        if text == "*":
            return ALL
        if not first.isdigit() or not (last or first).isdigit():
            found = SOME
            continue
        low, high = int(first), int(last or first)
        if low <= wanted[0] and wanted[1] <= high:
            return ALL
        if low <= wanted[1] and wanted[0] <= high:
            found = SOME
    return found


def _end(rule: Json, side: str, end: End) -> str:
    """How much of one end of the traffic a rule is about."""
    if rule.get(f"{side}ApplicationSecurityGroups"):
        # our machines are in none; a computer that is elsewhere can be in none
        return SOME if end.inside is None else NONE
    expanded = rule.get(f"expanded{side.capitalize()}AddressPrefix")
    prefixes = [str(item) for item in expanded or ()] or _values(rule, f"{side}AddressPrefix")
    covered = [_prefix(text.strip().lower(), end) for text in prefixes]
    if ALL in covered:
        return ALL
    return SOME if SOME in covered else NONE


def _prefix(text: str, end: End) -> str:
    if text in ANY:
        return ALL
    if text == "internet":
        return SOME if end.inside is None else (NONE if end.inside else ALL)
    if text == "virtualnetwork":
        return SOME if end.inside is None else (ALL if end.inside else NONE)
    if text == "azureloadbalancer":  # 168.63.129.16 alone
        return NONE
    try:
        prefix = ipaddress.ip_network(text, strict=False)
    except ValueError:  # another service tag
        return SOME
    if not isinstance(prefix, Network):
        return NONE
    if end.network.subnet_of(prefix):
        return ALL
    return SOME if end.network.overlaps(prefix) else NONE
