"""Security groups as nftables rules; that they filter is seen by tests/machines."""

import itertools

import pytest

from azure_emulator.guest.machine_interface import Position, SecurityRule
from azure_emulator.nspawn import filters

INSIDE = ("10.0.0.0/24", "10.9.0.0/16")


def rule(
    *, source: str = "*", ports: str = "22", protocol: str = "tcp", allows: bool = True
) -> SecurityRule:
    return SecurityRule(
        inbound=True,
        protocol=protocol,
        sources=(source,),
        destinations=("*",),
        ports=(ports,),
        allows=allows,
    )


def lines(*groups: tuple[SecurityRule, ...]) -> list[str]:
    """Return the lines of the chains of these groups, inbound ones, one group after the other."""
    text = filters.of_machine(Position("vnet", "10.0.0.0/28", INSIDE, groups))
    found = []
    for number in range(len(groups)):
        chain = text.partition(f"chain in{number} {{\n")[2].partition("}\nchain")[0]
        found += [" ".join(line.split()) for line in chain.splitlines()]
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule(), "meta l4proto { tcp } th dport { 22 } return"),
        (rule(allows=False), "meta l4proto { tcp } th dport { 22 } drop"),
        (rule(ports="*"), "meta l4proto tcp return"),
        (rule(ports="*", protocol="*", allows=False), "drop"),
        (rule(ports="1000-2000", protocol="*"), "meta l4proto { tcp, udp } th dport { 1000-2000 }"),
        (rule(ports="*", protocol="icmp"), "meta l4proto icmp return"),
        (rule(source="198.51.100.0/24"), "ip saddr 198.51.100.0/24 meta l4proto { tcp }"),
        (rule(source="VirtualNetwork"), "ip saddr { 10.0.0.0/24, 10.9.0.0/16 } meta"),
        (rule(source="Internet"), "ip saddr != { 10.0.0.0/24, 10.9.0.0/16 } meta"),
        (rule(source="AzureLoadBalancer"), "ip saddr 168.63.129.16 meta"),
    ],
)
def test_a_rule(given: SecurityRule, expected: str) -> None:
    (line,) = lines((given,))
    assert line.startswith(expected)


def test_a_service_tag_that_is_no_address_here_lets_nobody_in() -> None:
    assert lines((rule(source="Storage.WestEurope"), rule(source="::/0"))) == []


def test_rules_keep_their_order_and_all_groups_must_let_in() -> None:
    groups = ((rule(allows=False, ports="23"), rule()), (rule(ports="24"),))
    text = filters.of_machine(Position("vnet", "10.0.0.0/28", INSIDE, groups))
    assert [line.split()[-1] for line in lines(*groups)] == ["drop", "return", "return"]
    chain = text.partition("chain input {")[2].splitlines()
    tried = [line for line in chain if line.startswith(("jump", "accept"))]
    assert tried[:3] == ["jump in0", "jump in1", "accept"]


def test_without_a_group_a_machine_hears_its_network_alone() -> None:
    text = filters.of_machine(Position("vnet", "10.0.0.0/28", INSIDE, ()))
    chain = text.partition("chain input {")[2].partition("}\nchain")[0]
    assert "ip saddr { 10.0.0.0/24, 10.9.0.0/16 } accept" in chain
    assert "\naccept\n" not in chain


def test_the_router_leads_public_addresses_to_machines_and_keeps_networks_apart() -> None:
    routes = filters.Routes(
        public={"192.0.2.1": "10.0.0.4"},
        ways_out=frozenset({"10.0.0.4"}),
        bridges=frozenset({"b1", "b2"}),
        index=frozenset({"151.101.0.223"}),
        relay_port=4321,
    )
    text = filters.of_router(routes)
    assert "ip daddr 192.0.2.1 dnat to 10.0.0.4\n" in text
    assert 'oifname "laptop" ip saddr 10.0.0.4 snat to 192.0.2.1\n' in text
    for one, other in itertools.product(("b1", "b2"), repeat=2):
        passes = f'iifname "{one}" oifname "{other}" accept\n' in text
        assert passes == (one == other)
    carried = "tcp dport { 80, 443 } ip daddr { 151.101.0.223 } redirect to :4321\n"
    assert f"ip saddr {{ 10.0.0.4 }} {carried}" in text
    assert f'iifname "laptop" {carried}' in text


def test_a_router_without_machines_is_whole() -> None:
    routes = filters.Routes({}, frozenset(), frozenset(), frozenset(), 1)
    assert "{  }" not in filters.of_router(routes)
