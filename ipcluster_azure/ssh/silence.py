"""What can be the reason that a machine doesn't answer over SSH, most likely first. Pure.

From here a packet that a security group drops, one that a firewall drops and one to a machine that
hangs look the same: nothing comes back. What differs is how the cluster was set up, and so which of
them is likely.
"""

from collections.abc import Iterable
from enum import Enum

from ..plan.cluster_plan import ClusterPlan
from ..resource_ids import parse_id


class Symptom(Enum):
    """How an attempt to log in has failed the last time."""

    SILENCE = "no answer"
    REFUSAL = "refused"  # something answers that no server listens there
    NO_WAY = "no way"  # this computer knows no way to the address
    LOGIN = "login"  # an SSH server answers, and does not know the user or the key
    OTHER = "other"


def listed(causes: Iterable[str]) -> str:
    """Causes in one sentence, numbered."""
    numbered = "; ".join(f"({number}) {cause}" for number, cause in enumerate(causes, start=1))
    return f"What can cause that here, most likely first: {numbered}." if numbered else ""


def of_controller(plan: ClusterPlan, host: str, symptom: Symptom) -> list[str]:
    """Why this computer gets no answer from the controller's machine at `host`."""
    boot = _boot(plan, plan.names.controller)
    if symptom is Symptom.LOGIN:
        return _of_login(plan)
    if symptom is Symptom.REFUSAL:
        return [*_of_refusal(plan), f"a firewall that refuses in the machine's name; {boot}"]
    door = _door(plan)
    if symptom is Symptom.NO_WAY:
        return [_no_way(host), door]
    if not plan.public_ip:
        return [_no_way(host), *_given_subnet(plan), door, boot]
    own_firewall = (
        f"a firewall between this computer and Azure that lets no TCP to port {plan.ssh_port} out "
        f"(`ssh -v -p {plan.ssh_port} {host}` from another network gets an answer then)"
    )
    if plan.subnet_id:
        return [*_given_subnet(plan), door, own_firewall, boot]
    return [door, own_firewall, boot]


def of_engine(plan: ClusterPlan, symptom: Symptom) -> list[str]:
    """Why the controller's machine gets no answer from an engines' machine."""
    if symptom is Symptom.LOGIN:
        return _of_login(plan)
    if symptom is Symptom.REFUSAL:
        return _of_refusal(plan)
    subnet = []
    if plan.subnet_id:
        subnet = [
            f"the security group of subnet {_subnet(plan)} does not let its machines talk to each "
            "other (on any port)",
            "a route of that subnet leads to a firewall",
        ]
    return [*subnet, _boot(plan, "MACHINE"), *_of_refusal(plan)]


def _subnet(plan: ClusterPlan) -> str:
    return parse_id(plan.subnet_id).name


def _door(plan: ClusterPlan) -> str:
    """The cluster's own security group, which lets nobody in but those in ssh_source."""
    sources = ", ".join(plan.ssh_sources)
    if plan.own_source:
        return (
            f"SSH does not come from {plan.own_source}, which Azure lets in, as "
            f"{plan.public_ip_service} said that it is this computer's address: a VPN or a proxy "
            "gives it another; set c.AzureVMLauncher.ssh_source"
        )
    return (
        f"this computer's address, as Azure sees it, is not in c.AzureVMLauncher.ssh_source "
        f"({sources})"
    )


def _given_subnet(plan: ClusterPlan) -> list[str]:
    group, nic = plan.resource_group, plan.names.controller_nic
    return [
        f"the security group of subnet {_subnet(plan)} lets no SSH in (`az network nic "
        f"list-effective-nsg -g {group} -n {nic}` shows the rules while the machine runs)",
        f"a firewall in front of that subnet, or a route that sends the answers elsewhere (`az "
        f"network nic show-effective-route-table -g {group} -n {nic}`)",
    ]


def _no_way(host: str) -> str:
    return (
        f"the VPN or the peering by which this computer reaches {host} is down, or has no route "
        "there"
    )


def _boot(plan: ClusterPlan, machine: str) -> str:
    return (
        f"the machine is slow to boot, or does not boot (`az vm get-instance-view -g "
        f"{plan.resource_group} -n {machine}`): set a longer c.AzureVMLauncher.boot_timeout_s"
    )


def _of_refusal(plan: ClusterPlan) -> list[str]:
    return [
        f"no SSH server listens on port {plan.ssh_port}: image {plan.machine.image} has none, or "
        "has it on another port (c.AzureVMLauncher.ssh_port)"
    ]


def _of_login(plan: ClusterPlan) -> list[str]:
    return [
        f"image {plan.machine.image} has no cloud-init or Azure agent, which make user "
        f"{plan.machine.admin_username} and the key, or they have not finished",
        "the image's SSH server does not take keys, or not this user's",
    ]
