"""Plans and settings for the unit tests, with names that don't change."""

from dataclasses import replace
from typing import Any

from traitlets.config import Config

from ipcluster_azure.launchers import AzureVMControllerLauncher
from ipcluster_azure.naming import ClusterNames
from ipcluster_azure.plan.cluster_plan import ClusterPlan, EngineSetPlan, MachinePlan
from ipcluster_azure.settings.values import Settings

MACHINE = MachinePlan(
    vm_size="Standard_D4s_v5",
    image="Canonical:ubuntu-24_04-lts:server:latest",
    os_disk_gb=0,
    admin_username="azureuser",
    priority="Regular",
)
CLUSTER = ClusterPlan(
    subscription_id="00000000-1111-2222-3333-444444444444",
    resource_group="ipp-azure-0a1b2c3d",
    owns_resource_group=True,
    location="eastus",
    tags={"ipcluster-azure-profile": "azure", "costCenter": "7"},
    names=ClusterNames("ipp-azure-0a1b2c3d"),
    machine=MACHINE,
    ssh_port=22,
    ssh_sources=("203.0.113.7/32",),
    public_ip=True,
    address_prefix="10.42.0.0/16",
    subnet_id="",
)
ENGINES = EngineSetPlan(
    set_id="1732190000",
    scale_set="ipp-azure-0a1b2c3d-e77aa",
    n=30,
    engines_per_vm=4,
    vcpus=4,
    location="eastus",
    machine=MACHINE,
)
SUBNET_ID = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/net/providers"
    "/Microsoft.Network/virtualNetworks/office/subnets/compute"
)


def launcher(**traits: Any) -> AzureVMControllerLauncher:
    config = Config({"AzureVMLauncher": traits})
    return AzureVMControllerLauncher(config=config)


def settings(**changes: Any) -> Settings:
    return replace(launcher().settings(), **changes)


def security_rule(priority: int, access: str = "Deny", **members: Any) -> dict[str, Any]:
    """Return a rule of a security group for all that comes in, but for its `members`."""
    properties = {
        "priority": priority,
        "access": access,
        "direction": "Inbound",
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
        **members,
    }
    return {"name": f"r{priority}", "properties": properties}
