"""Whether a security group lets a connection through: right, or no answer."""

from typing import Any

import pytest

from ipcluster_azure.plan.security_rules import (
    End,
    Network,
    Rule,
    Traffic,
    denying_rule,
    free_priority,
)

from ..plans import security_rule as _rule

SUBNET = Network("10.1.2.0/24")
OUTSIDE = End(Network("203.0.113.7/32"), False)
PERHAPS = End(Network("10.9.0.0/16"), None)  # in the office, behind a VPN
INSIDE = End(SUBNET, True)


DEFAULTS = [
    _rule(
        65000,
        "Allow",
        sourceAddressPrefix="VirtualNetwork",
        destinationAddressPrefix="VirtualNetwork",
    ),
    _rule(65001, "Allow", sourceAddressPrefix="AzureLoadBalancer"),
    _rule(65500),
]
HTTPS = _rule(100, "Allow", destinationPortRange="443")
LAST = Rule("r65500", 65500)


def _denied(*rules: dict[str, Any], source: End = OUTSIDE) -> int | None:
    """The priority of the rule that denies SSH from there, None if nothing surely does."""
    found = denying_rule([*rules, *DEFAULTS], Traffic(source, INSIDE, (22, 22)))
    return found.priority if found else None


@pytest.mark.parametrize(
    ("rules", "priority"),
    [
        ([], 65500),
        ([HTTPS], 65500),
        ([_rule(100, "Allow", destinationPortRange="22")], None),
        (
            [_rule(100, "Allow", destinationPortRange="", destinationPortRanges=["80", "20-30"])],
            None,
        ),
        (
            [_rule(100, "Allow", destinationPortRange="", destinationPortRanges=["80", "23-30"])],
            65500,
        ),
        ([_rule(100, "Allow", protocol="Tcp")], None),
        ([_rule(100, "Allow", protocol="Udp")], 65500),
        ([_rule(200, "Allow"), _rule(100)], 100),
        ([_rule(100, "Allow"), _rule(200)], None),
        ([_rule(100, direction="Outbound"), _rule(200, "Allow")], None),
        # sources: one of several, wider, narrower, a tag, addresses of version 6
        ([_rule(100, "Allow", sourceAddressPrefix="203.0.113.0/24")], None),
        ([_rule(100, "Allow", sourceAddressPrefix="203.0.113.7")], None),
        ([_rule(100, "Allow", sourceAddressPrefix="203.0.113.8")], 65500),
        (
            [
                _rule(
                    100,
                    "Allow",
                    sourceAddressPrefix=None,
                    sourceAddressPrefixes=["198.51.100.0/24", "203.0.113.0/24"],
                )
            ],
            None,
        ),
        ([_rule(100, "Allow", sourceAddressPrefix="Internet")], None),
        ([_rule(100, sourceAddressPrefix="internet"), _rule(200, "Allow")], 100),
        ([_rule(100, "Allow", sourceAddressPrefix="VirtualNetwork")], 65500),
        ([_rule(100, "Allow", sourceAddressPrefix="AzureCloud.eastus")], None),
        ([_rule(100, sourceAddressPrefix="AzureCloud"), _rule(200, "Allow")], None),
        ([_rule(100, sourceAddressPrefix="AzureCloud"), _rule(200)], 200),
        ([_rule(100, "Allow", sourceAddressPrefix="2001:db8::/32")], 65500),
        # destinations: the whole subnet, a part of it, another network
        ([_rule(100, "Allow", destinationAddressPrefix="10.1.0.0/16")], None),
        ([_rule(100, "Allow", destinationAddressPrefix="10.1.2.4")], None),
        ([_rule(100, destinationAddressPrefix="10.1.2.4"), _rule(200, "Allow")], None),
        ([_rule(100, "Allow", destinationAddressPrefix="10.1.3.0/24")], 65500),
        # application security groups, which our machines are in none of
        ([_rule(100, "Allow", destinationApplicationSecurityGroups=[{"id": "web"}])], 65500),
        (
            [_rule(100, destinationApplicationSecurityGroups=[{"id": "w"}]), _rule(200, "Allow")],
            None,
        ),
        ([_rule(100, "Allow", sourceApplicationSecurityGroups=[{"id": "web"}])], 65500),
        # ports that connections come from
        ([_rule(100, "Allow", sourcePortRange="1024-65535")], None),
        ([_rule(100, sourcePortRange="50000-50100"), _rule(200, "Allow")], None),
        ([_rule(100, "Allow", sourcePortRange="22")], 65500),
    ],
)
def test_ssh_from_outside(rules: list[dict[str, Any]], priority: int | None) -> None:
    assert _denied(*rules) == priority


@pytest.mark.parametrize(
    ("rules", "priority"),
    [
        ([], None),  # VirtualNetwork may be what the VPN leads into
        ([_rule(4000)], 4000),
        ([_rule(100, "Allow", sourceAddressPrefix="10.9.1.0/24"), _rule(4000)], None),
        ([_rule(100, "Allow", sourceAddressPrefix="10.8.0.0/16"), _rule(4000)], 4000),
        ([_rule(100, "Allow", sourceApplicationSecurityGroups=[{"id": "web"}]), _rule(4000)], None),
        ([_rule(100, sourceAddressPrefix="Internet"), _rule(200, "Allow")], None),
    ],
)
def test_ssh_from_who_may_be_inside(rules: list[dict[str, Any]], priority: int | None) -> None:
    assert _denied(*rules, source=PERHAPS) == priority


@pytest.mark.parametrize(
    ("rules", "priority"),
    [
        ([], None),
        ([_rule(4096)], 4096),
        ([_rule(100, "Allow", sourceAddressPrefix="VirtualNetwork"), _rule(4096)], None),
        ([_rule(100, "Allow", destinationPortRange="22"), _rule(4096)], None),
        ([_rule(100, sourceAddressPrefix="Internet")], None),
    ],
)
def test_ssh_among_the_machines(rules: list[dict[str, Any]], priority: int | None) -> None:
    assert _denied(*rules, source=INSIDE) == priority


def test_ports_that_programs_choose() -> None:
    only_ssh = [_rule(100, "Allow", destinationPortRange="22"), _rule(4096), *DEFAULTS]
    assert denying_rule(only_ssh, Traffic(INSIDE, INSIDE, (1024, 65535))) == Rule("r4096", 4096)
    some = [_rule(100, "Allow", destinationPortRange="8000-9000"), _rule(4096), *DEFAULTS]
    assert denying_rule(some, Traffic(INSIDE, INSIDE, (1024, 65535))) is None


def test_rules_in_effect_have_the_addresses_that_tags_stand_for() -> None:
    """As networkInterfaces/.../effectiveNetworkSecurityGroups tells them."""
    common = {"direction": "Inbound", "protocol": "All", "destinationPortRange": "0-65535"}
    common |= {"sourcePortRange": "0-65535", "destinationAddressPrefix": "0.0.0.0/0"}
    deny = {**common, "name": "defaultSecurityRules/DenyAllInBound", "access": "Deny"}
    deny |= {"priority": 65500, "sourceAddressPrefix": "0.0.0.0/0"}
    tag = {**common, "name": "securityRules/cloud", "access": "Allow", "priority": 100}
    tag |= {"sourceAddressPrefix": "AzureCloud", "protocol": "Tcp"}
    traffic = Traffic(OUTSIDE, INSIDE, (22, 22))
    assert denying_rule([deny, tag], traffic) is None
    elsewhere = {**tag, "expandedSourceAddressPrefix": ["198.51.100.0/24", "2001:db8::/32"]}
    assert str(denying_rule([deny, elsewhere], traffic)) == "rule DenyAllInBound (priority 65500)"
    here = {**tag, "expandedSourceAddressPrefix": ["198.51.100.0/24", "203.0.113.0/24"]}
    assert denying_rule([deny, here], traffic) is None


def test_a_rule_that_comes_before_another() -> None:
    assert free_priority([_rule(4096), _rule(65500)], 65500) == 4095
    assert free_priority([_rule(200), _rule(199)], 200) == 198
    assert free_priority([], 100) == 100
