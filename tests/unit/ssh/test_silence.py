"""What may be the reason that a machine doesn't answer: what is likely where it stands first."""

from dataclasses import replace

import pytest

from ipcluster_azure.ssh.silence import Symptom, listed, of_controller, of_engine

from ..plans import CLUSTER, SUBNET_ID

HOST = "20.1.2.3"
OFFICE = replace(CLUSTER, subnet_id=SUBNET_ID)
PRIVATE = replace(OFFICE, public_ip=False)
OWN = replace(CLUSTER, own_source="203.0.113.7/32", public_ip_service="https://api.ipify.org")

DOOR = "c.AzureVMLauncher.ssh_source"
GROUP = "the security group of subnet compute lets no SSH in"
ROUTE = "a firewall in front of that subnet"
FIREWALL = "a firewall between this computer and Azure"
WAY = "the VPN or the peering by which this computer reaches 20.1.2.3"
BOOT = "the machine is slow to boot"
SERVER = "no SSH server listens on port 22"
LOGIN = "has no cloud-init or Azure agent"
INSIDE = "does not let its machines talk to each other"


@pytest.mark.parametrize(
    ("plan", "symptom", "causes"),
    [
        (CLUSTER, Symptom.SILENCE, [DOOR, FIREWALL, BOOT]),
        (OFFICE, Symptom.SILENCE, [GROUP, ROUTE, DOOR, FIREWALL, BOOT]),
        (PRIVATE, Symptom.SILENCE, [WAY, GROUP, ROUTE, DOOR, BOOT]),
        (PRIVATE, Symptom.NO_WAY, [WAY, DOOR]),
        (CLUSTER, Symptom.REFUSAL, [SERVER, "refuses in the machine's name"]),
        (CLUSTER, Symptom.LOGIN, [LOGIN, "does not take keys"]),
    ],
)
def test_of_the_controller(plan: object, symptom: Symptom, causes: list[str]) -> None:
    found = of_controller(plan, HOST, symptom)  # type: ignore[arg-type]
    assert len(found) == len(causes)
    for cause, part in zip(found, causes, strict=True):
        assert part in cause


@pytest.mark.parametrize(
    ("plan", "symptom", "causes"),
    [
        (CLUSTER, Symptom.SILENCE, [BOOT, SERVER]),
        (OFFICE, Symptom.SILENCE, [INSIDE, "a route of that subnet", BOOT, SERVER]),
        (OFFICE, Symptom.REFUSAL, [SERVER]),
        (OFFICE, Symptom.LOGIN, [LOGIN, "does not take keys"]),
    ],
)
def test_of_an_engine(plan: object, symptom: Symptom, causes: list[str]) -> None:
    found = of_engine(plan, symptom)  # type: ignore[arg-type]
    assert len(found) == len(causes)
    for cause, part in zip(found, causes, strict=True):
        assert part in cause


def test_the_address_that_was_found_out_is_named_with_who_said_so() -> None:
    (door, *_) = of_controller(OWN, HOST, Symptom.SILENCE)
    assert "from 203.0.113.7/32, which Azure lets in, as https://api.ipify.org said" in door


def test_the_commands_name_this_cluster() -> None:
    text = listed(of_controller(OFFICE, HOST, Symptom.SILENCE))
    names = f"-g {OFFICE.resource_group} -n {OFFICE.names.controller_nic}"
    assert f"az network nic list-effective-nsg {names}" in text
    assert f"az network nic show-effective-route-table {names}" in text
    assert f"`ssh -v -p 22 {HOST}`" in text
    assert text.startswith("What can cause that here, most likely first: (1) the security group")
    assert "\n" not in text


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert listed([]) == ""
