"""The network's part of the templates: the door, the address, the subnets, the interfaces. Pure."""

from .cluster_plan import CONTROLLER_SUBNET, ENGINE_SUBNET, ClusterPlan, EngineSetPlan
from .extra_members import merged
from .resource_types import NIC, NSG, PUBLIC_IP, SUBNET, VIRTUAL_NETWORK, Json
from .template_language import TAGS, resource, resource_id_expression

SSH_RULE, RULE_PRIORITY = "ssh", 1000
ADDRESS_GOES = "addressDeleteOption"


def security_group(plan: ClusterPlan) -> Json:
    rule = {
        "name": SSH_RULE,
        "properties": {
            "description": "The only door: SSH from the addresses in ssh_source",
            "priority": RULE_PRIORITY,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourceAddressPrefixes": "[parameters('sshSources')]",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": str(plan.ssh_port),
        },
    }
    name = plan.names.network_security_group
    return resource(NSG, name, {"securityRules": [rule]})


def public_ip(plan: ClusterPlan) -> Json:
    properties = {
        "publicIPAllocationMethod": "Static",
        "publicIPAddressVersion": "IPv4",
        "deleteOption": f"[parameters('{ADDRESS_GOES}')]",
    }
    return resource(PUBLIC_IP, plan.names.public_ip, properties, sku={"name": "Standard"})


def virtual_network(plan: ClusterPlan) -> Json:
    prefixes = {CONTROLLER_SUBNET: plan.controller_prefix, ENGINE_SUBNET: plan.engine_prefix}
    properties = {
        "addressSpace": {"addressPrefixes": [plan.address_prefix]},
        "subnets": [
            {"name": name, "properties": {"addressPrefix": prefix, "defaultOutboundAccess": False}}
            for name, prefix in prefixes.items()
        ],
    }
    return resource(VIRTUAL_NETWORK, plan.names.virtual_network, properties)


def controller_nic(plan: ClusterPlan) -> Json:
    group = resource_id_expression(NSG, plan.names.network_security_group)
    address = resource_id_expression(PUBLIC_IP, plan.names.public_ip)
    configuration: Json = {
        "subnet": {"id": _subnet(plan, CONTROLLER_SUBNET)},
        "privateIPAllocationMethod": "Static" if plan.controller_address else "Dynamic",
    }
    if plan.controller_address:
        configuration["privateIPAddress"] = plan.controller_address
    depends_on = [group]
    if plan.public_ip:
        configuration["publicIPAddress"] = {"id": address}
        depends_on.append(address)
    if not plan.subnet_id:
        depends_on.append(resource_id_expression(VIRTUAL_NETWORK, plan.names.virtual_network))
    properties = {
        "ipConfigurations": [{"name": "primary", "properties": configuration}],
        "networkSecurityGroup": {"id": group},
    }
    nic = resource(NIC, plan.names.controller_nic, properties, depends_on=tuple(depends_on))
    return merged(nic, plan.extra_nic)


def engine_nic(cluster: ClusterPlan, plan: EngineSetPlan) -> Json:
    subnet = {"id": _subnet(cluster, ENGINE_SUBNET)}
    nic: Json = {
        "name": f"{plan.scale_set}-nic",
        "tags": TAGS,  # not inherited, unlike those of machines and disks
        "properties": {
            "primary": True,
            "deleteOption": "Delete",
            "ipConfigurations": [
                {"name": "primary", "properties": {"primary": True, "subnet": subnet}}
            ],
        },
    }
    return merged(nic, plan.extra_nic)


def _subnet(plan: ClusterPlan, name: str) -> str:
    return plan.subnet_id or resource_id_expression(SUBNET, plan.names.virtual_network, name)
