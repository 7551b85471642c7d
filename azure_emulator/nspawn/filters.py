"""A machine's security groups as an nftables ruleset, and what the router does, likewise."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..guest.machine_interface import Position, SecurityRule

# Azure's own addresses, which no security group keeps a machine from: DNS and health; metadata
PLATFORM = "168.63.129.16"
METADATA = "169.254.169.254"
PUBLIC = "192.0.2.0/24"
OUTSIDE = "198.51.100.0/24"
ROUTER, LAPTOP = "198.51.100.1", "198.51.100.2"

LOST = """table inet lost {
    chain in { type filter hook input priority -300; policy drop; iif lo accept; }
    chain out { type filter hook output priority -300; policy drop; oif lo accept; }
}
"""


def of_machine(position: Position) -> str:
    """Return the ruleset of a machine's own namespace: what its security groups let in and out.

    Without a group it takes what comes from its virtual network, and nothing else.
    """
    groups = position.groups
    chains = [
        f"chain {'in' if inbound else 'out'}{number} {{\n{_lines(group, inbound, position)}}}"
        for number, group in enumerate(groups)
        for inbound in (True, False)
    ]
    tried_in = "".join(f"jump in{number}\n" for number in range(len(groups)))
    tried_out = "".join(f"jump out{number}\n" for number in range(len(groups)))
    inside = _set(position.inside)
    admitted = "accept" if groups else f"ip saddr {inside} accept"
    return f"""add table ip groups
delete table ip groups
table ip groups {{
{chr(10).join(chains)}
chain input {{
type filter hook input priority 0; policy drop;
iif lo accept
ct state established,related accept
ip saddr {{ {PLATFORM}, {METADATA} }} accept
udp dport 68 accept
{tried_in}{admitted}
}}
chain output {{
type filter hook output priority 0; policy drop;
oif lo accept
ct state established,related accept
ip daddr {{ {PLATFORM}, {METADATA} }} accept
udp dport 67 accept
{tried_out}accept
}}
}}
"""


def _lines(group: Iterable[SecurityRule], inbound: bool, position: Position) -> str:
    """Return a group's rules: the first that fits says `return`, to the next group, or `drop`."""
    lines = []
    for rule in group:
        if rule.inbound != inbound:
            continue
        matches = [
            match
            for sources in _addresses(rule.sources, "saddr", position)
            for match in (
                f"{sources} {destinations}"
                for destinations in _addresses(rule.destinations, "daddr", position)
            )
        ]
        verdict = "return" if rule.allows else "drop"
        lines += [f"{match} {_ports(rule)} {verdict}\n" for match in matches]
    return "".join(lines)


def _addresses(prefixes: Iterable[str], side: str, position: Position) -> list[str]:
    """Return matches of which one must hold: one for each prefix or word."""
    inside = _set(position.inside)
    matches = []
    for prefix in prefixes:
        word = prefix.lower()
        if word in ("*", "any"):
            matches.append("")
        elif word == "virtualnetwork":
            matches.append(f"ip {side} {inside}")
        elif word == "internet":
            matches.append(f"ip {side} != {inside}")
        elif word == "azureloadbalancer":
            matches.append(f"ip {side} {PLATFORM}")
        elif _is_prefix(prefix):
            matches.append(f"ip {side} {prefix}")  # another service tag is never an address here
    return matches


def _is_prefix(text: str) -> bool:
    try:
        return ipaddress.ip_network(text, strict=False).version == 4
    except ValueError:
        return False


def _set(prefixes: Iterable[str]) -> str:
    return f"{{ {', '.join(prefixes)} }}"


def _ports(rule: SecurityRule) -> str:
    protocols = ("tcp", "udp") if rule.protocol == "*" else (rule.protocol,)
    if "*" in rule.ports:
        return "" if rule.protocol == "*" else f"meta l4proto {rule.protocol}"
    if rule.protocol not in ("*", "tcp", "udp"):
        return f"meta l4proto {rule.protocol}"
    return f"meta l4proto {{ {', '.join(protocols)} }} th dport {_set(rule.ports)}"


@dataclass(frozen=True)
class Routes:
    """What the router knows.

    public: public -> private address; ways_out: private addresses of machines that reach the
    internet; bridges: one for each virtual network; index: addresses of the package index, all
    that there is of the internet; relay_port: who carries connections there.
    """

    public: Mapping[str, str]
    ways_out: frozenset[str]
    bridges: frozenset[str]
    index: frozenset[str]
    relay_port: int


def of_router(routes: Routes) -> str:
    """Return the router's ruleset: public addresses one to one, and networks that don't meet."""
    to_private = "".join(f"ip daddr {a} dnat to {b}\n" for a, b in routes.public.items())
    to_public = "".join(
        f'oifname "laptop" ip saddr {b} snat to {a}\n' for a, b in routes.public.items()
    )
    within = "".join(
        f'iifname "{name}" oifname "{name}" accept\n' for name in sorted(routes.bridges)
    )
    to_index = f"tcp dport {{ 80, 443 }} ip daddr {_set(sorted(routes.index))} "
    to_index += f"redirect to :{routes.relay_port}\n"
    who = [f"ip saddr {_set(sorted(routes.ways_out))} "] if routes.ways_out else []
    who.append('iifname "laptop" ')
    carried = "".join(f"{match}{to_index}" for match in who) if routes.index else ""
    leaving = (
        f"ip saddr {_set(sorted(routes.ways_out))} ip daddr {OUTSIDE} accept\n"
        if routes.ways_out
        else ""
    )
    return f"""add table ip router
delete table ip router
table ip router {{
chain prerouting {{
type nat hook prerouting priority -100;
{to_private}{carried}}}
chain postrouting {{
type nat hook postrouting priority 100;
{to_public}}}
chain forward {{
type filter hook forward priority 0; policy drop;
ct state established,related accept
ct status dnat accept
{within}{leaving}}}
chain input {{
type filter hook input priority 0; policy drop;
iif lo accept
ct state established,related accept
ip daddr {{ {PLATFORM}, {METADATA} }} tcp dport 80 accept
meta l4proto {{ tcp, udp }} th dport {{ 53, 67 }} accept
tcp dport {routes.relay_port} ct status dnat accept
icmp type echo-request accept
}}
chain output {{
type filter hook output priority 0; policy accept;
icmp type destination-unreachable drop
}}
}}
"""
