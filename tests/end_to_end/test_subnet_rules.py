"""A given subnet whose security group lets nobody in: seen before, or told when all is silent."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from azure_emulator.testing import restricted

from ..azure_emulator.cloud import Cloud
from ..unit.plans import security_rule
from .bare_stage import Stage, cloud, stage
from .conftest import IMAGE, TWO_LINES, Profile, wait_for

__all__ = ["cloud", "stage"]  # fixtures

GROUP = "/resourceGroups/net"
GROUP_READ = "Microsoft.Network/networkSecurityGroups/read"


@dataclass
class Office:
    """A network that is somebody else's, with one subnet, and the subnet's security group."""

    cloud: Cloud
    prefix: str
    port: int

    def subnet(self, *rules: dict[str, Any], **properties: Any) -> str:
        """Make the subnet, with such rules in its group; returns its id."""
        self.put("networkSecurityGroups", "office", {"securityRules": list(rules)})
        group = f"{self.cloud.subscription}{GROUP}/providers/Microsoft.Network"
        held = {"networkSecurityGroup": {"id": f"{group}/networkSecurityGroups/office"}}
        subnet = {"addressPrefix": self.prefix, **held, **properties}
        space = {"addressPrefixes": [self.prefix]}
        subnets = [{"name": "compute", "properties": subnet}]
        self.put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": subnets})
        return f"{group}/virtualNetworks/vnet/subnets/compute"

    def put(self, kind: str, name: str, properties: dict[str, Any]) -> None:
        path = f"{GROUP}/providers/Microsoft.Network/{kind}/{name}"
        body = {"location": "eastus", "properties": properties}
        answer = self.cloud.call("PUT", path, body, version="2025-01-01")
        assert self.cloud.wait_for(answer)["status"] == "Succeeded"


def _office(cloud: Cloud) -> Office:
    offer = client.offer(cloud.info)
    cloud.resource.resource_groups.create_or_update("net", {"location": "eastus"})
    return Office(cloud, str(offer["address_prefix"]), int(offer["ssh_port"]))


@pytest.fixture
def office(stage: Stage) -> Office:
    return _office(stage.cloud)


def test_a_group_that_lets_nobody_in_is_seen_before_anything_is_created(
    stage: Stage, office: Office
) -> None:
    https = security_rule(100, "Allow", destinationPortRange="443")
    message = stage.refused(subnet_id=office.subnet(https))
    for part in (
        "The security group office of subnet compute lets no SSH in from 127.0.0.1/32",
        f"rule DenyAllInBound (priority 65500) denies port {office.port}",
        "az network nsg rule create -g net --nsg-name office -n ipcluster-ssh --priority 4096",
        f"--source-address-prefixes 127.0.0.1/32 --destination-port-ranges {office.port}",
        "or set another c.AzureVMLauncher.subnet_id",
    ):
        assert part in message
    message = stage.refused(
        subnet_id=office.subnet(security_rule(300, "Allow"), security_rule(200, "Deny"))
    )
    assert "rule r200 (priority 200)" in message
    assert "--priority 199" in message


@pytest.mark.parametrize(
    "members",
    [
        {"destinationPortRange": "{port}"},
        {"sourceAddressPrefix": "Internet"},
        {"sourceAddressPrefix": "AzureCloud"},  # whose addresses only Azure knows
        {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["10.0.0.0/8", "127.0.0.0/8"]},
        {"destinationPortRange": None, "destinationPortRanges": ["1-10", "11-65535"]},
    ],
)
def test_a_group_that_lets_us_in_or_may_do_so(
    stage: Stage, office: Office, members: dict[str, Any]
) -> None:
    members = {
        name: value.format(port=office.port) if isinstance(value, str) else value
        for name, value in members.items()
    }
    members = {name: value for name, value in members.items() if value is not None}
    rule = security_rule(100, "Allow", **members)
    for name in list(rule["properties"]):
        if f"{name}es" in members or f"{name}s" in members:
            del rule["properties"][name]
    stage.find(subnet_id=office.subnet(rule))


def test_machines_that_may_not_talk_to_each_other(stage: Stage, office: Office) -> None:
    ssh = security_rule(100, "Allow", sourceAddressPrefix="Internet")
    subnet_id = office.subnet(ssh, security_rule(4000, "Deny"))
    message = stage.refused(subnet_id=subnet_id)
    assert "does not let the cluster's machines talk to each other: its rule r4000" in message
    assert "--source-address-prefixes VirtualNetwork" in message
    inside = security_rule(200, "Allow", sourceAddressPrefix="VirtualNetwork")
    stage.find(subnet_id=office.subnet(ssh, inside, security_rule(4000, "Deny")))


def test_what_cannot_be_read_does_not_keep_from_starting(stage: Stage, office: Office) -> None:
    subnet_id = office.subnet()
    with restricted(stage.cloud.info, ["*"], [GROUP_READ]):
        stage.find(subnet_id=subnet_id)
    with restricted(stage.cloud.info, ["*"], ["Microsoft.Network/virtualNetworks/subnets/read"]):
        stage.find(subnet_id=subnet_id)
    assert "does not exist" in stage.refused(subnet_id=f"{subnet_id}2")
    # from a private address, and into one, there may be a way of which rules say nothing
    stage.find(subnet_id=subnet_id, public_ip=False, ssh_source=("127.0.0.0/8",))


@pytest.fixture
def silent_office(emulator: EmulatorInfo) -> Iterator[Office]:
    cloud = Cloud(emulator)
    office = _office(cloud)
    yield office
    cloud.resource.resource_groups.begin_delete("net").wait(20)
    cloud.close()


def test_a_silent_controller_is_explained_by_the_rules_in_effect(
    profile: Profile, silent_office: Office
) -> None:
    """The group could not be read beforehand; the rules in effect tell which rule it was."""
    subnet_id = silent_office.subnet()
    profile.configure(
        f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n{IMAGE}'
        f"c.AzureVMLauncher.subnet_id = {subnet_id!r}\nc.AzureVMLauncher.boot_timeout_s = 4\n"
    )
    began = time.monotonic()
    unreadable = testing.fault(
        "refuse",
        method="GET",
        path="/subscriptions/*/resourceGroups/net/*/networkSecurityGroups*",
        status=403,
        code="AuthorizationFailed",
        times=None,
    )
    with testing.faults(profile.emulator, unreadable):
        output = profile.ipcluster("start", "-n", "1", expect=1)
    assert time.monotonic() - began < 60
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    for part in (
        "did not answer over SSH at 127.",
        "within 4 s (no answer).",
        "The rules in effect on Azure deny it: security group office of the subnet, rule "
        "DenyAllInBound (priority 65500).",
        "most likely first: (1) the security group of subnet compute lets no SSH in (`az network "
        "nic list-effective-nsg -g ipp-azure-",
        "(2) a firewall in front of that subnet, or a route",
        "c.AzureVMLauncher.ssh_source",
        "c.AzureVMLauncher.boot_timeout_s",
    ):
        assert part in line, line
    (kept,) = (profile.folder / "log").glob("azure--boot-*.log")
    assert "The rules in effect on Azure deny it" in kept.read_text()
    assert f"==> serial log of {kept.stem.removeprefix('azure--boot-')} <==" in kept.read_text()
    left = {"resource_groups": ["net"], "virtual_machines": []}
    wait_for(lambda: profile.left_on_azure() == left)
    assert profile.files() == set()


def test_a_silent_engine_is_explained_once_for_all_machines(profile: Profile) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(
        f"{config}c.AzureVMEngineSetLauncher.engines_per_vm = 1\n"
        "c.AzureVMEngineSetLauncher.boot_timeout_s = 6\n"
    )
    silent = testing.fault(
        "no_ssh", type="Microsoft.Compute/virtualMachineScaleSets/virtualMachines", times=2
    )
    with testing.faults(profile.emulator, silent):
        output = profile.ipcluster("start", "-n", "2", expect=1)
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert line.count("did not answer over SSH") == 2
    assert line.count("most likely first") == 1
    assert "(1) the machine is slow to boot" in line
    kept = sorted((profile.folder / "log").glob("azure--boot-*.log"))
    assert len(kept) == 2
    for path in kept:
        name = path.stem.removeprefix("azure--boot-")
        assert f"What {name} printed as it booted is in {path} " in output
        text = path.read_text()
        assert text.startswith(f"{name} did not answer over SSH")
        assert f"==> serial log of {name} <==" in text
        assert "Failed to start ssh.service" in text
        assert f"{name} login:" in text
    profile.assert_nothing_left()


def test_rules_in_effect_are_told_of_running_machines_alone(stage: Stage, office: Office) -> None:
    subnet = {"subnet": {"id": office.subnet(security_rule(100, "Allow"))}}
    configuration = {"name": "primary", "properties": subnet}
    path = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic"
    body = {"location": "eastus", "properties": {"ipConfigurations": [configuration]}}
    assert stage.cloud.call("PUT", path, body, version="2025-01-01").status == 201
    answer = stage.cloud.call("POST", f"{path}/effectiveNetworkSecurityGroups")
    assert (answer.status, answer.code) == (400, "NetworkInterfaceNotAttachedToRunningVm")
    controller, _ = stage.start(subnet_id=office.subnet(security_rule(100, "Allow")))
    nic = controller["properties"]["networkProfile"]["networkInterfaces"][0]["id"]
    group, name = nic.split("/")[4], nic.split("/")[-1]
    found = stage.cloud.network.network_interfaces.begin_list_effective_network_security_groups(
        group, name
    ).result()
    text = json.dumps(found.as_dict())
    assert "securityRules/r100" in text
    assert "securityRules/ssh" in text
    assert '"association"' in text
