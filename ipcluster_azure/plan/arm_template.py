"""Plan -> ARM resource bodies: the one source for the calls made and the job files written. Pure.

A job file is an ARM template, deployable into any group with `az deployment group create`; the
launcher submits exactly what it says, after requests.py has put its expressions into effect.

The tags are a parameter. Those that make a cluster of it, with an owner and an end, come from the
launcher. Who deploys a job file by hand makes machines that no launcher knows: with such tags
`list` would call them a running cluster, and `reap` would delete them.
"""

import base64
import json
from typing import Any

from ..naming import JOB_FILE_TAG, is_ours
from .cluster_plan import CONTROLLER_SUBNET, ENGINE_SUBNET, ClusterPlan, EngineSetPlan
from .extra_members import merged
from .machine_properties import (
    diagnostics_profile,
    literal,
    os_profile,
    purchase_plan,
    security_profile,
    storage_profile,
    zones,
)
from .resource_types import (
    NIC,
    NSG,
    PUBLIC_IP,
    SCALE_SET,
    SUBNET,
    VIRTUAL_MACHINE,
    VIRTUAL_NETWORK,
    Json,
    api_version,
)

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
SSH_RULE, RULE_PRIORITY = "ssh", 1000
TAGS = "[parameters('tags')]"
LOCATION = "[parameters('location')]"
ADDRESS_GOES = "addressDeleteOption"


def cloud_config(host_private_key: str, host_public_key: str) -> str:
    """Return customData in base64, which gives the machine the host key that the client trusts.

    Source: cloud-init's module cc_ssh. JSON is YAML, so no YAML writer is needed.
    """
    config = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_private_key, "ed25519_public": host_public_key},
    }
    return base64.b64encode(f"#cloud-config\n{json.dumps(config)}\n".encode()).decode()


def controller_template(plan: ClusterPlan) -> Json:
    """Return the template of the controller's machine and network.

    Its parameters without a default are sshPublicKey and customData, which `cloud_config` makes.
    """
    resources = [_security_group(plan)]
    if plan.public_ip:
        resources.append(_public_ip(plan))
    if not plan.subnet_id:
        resources.append(_virtual_network(plan))
    resources += [_controller_nic(plan), _controller_vm(plan)]
    template = _template(resources, plan)
    template["parameters"]["sshSources"] = {
        "type": "array",
        "defaultValue": list(plan.ssh_sources),
        "metadata": {"description": "Addresses that may reach the SSH port, as CIDRs"},
    }
    # a launcher may delete a machine that Azure has no room for, and keep the address
    goes = {"type": "string", "defaultValue": "Detach", "allowedValues": ["Delete", "Detach"]}
    template["parameters"][ADDRESS_GOES] = goes
    return template


def engine_set_template(cluster: ClusterPlan, plan: EngineSetPlan) -> Json:
    """Return the template of a Flexible scale set in the controller's network; same parameters."""
    properties = {
        "orchestrationMode": "Flexible",
        "platformFaultDomainCount": 1,
        "virtualMachineProfile": _engine_vm_profile(cluster, plan),
    }
    sku = {"name": plan.machine.vm_size, "tier": "Standard", "capacity": plan.vm_count}
    top = {"sku": sku, **zones(plan.machine), **purchase_plan(plan.machine)}
    if plan.identity:  # Flexible scale sets take no other kind
        top["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {plan.identity: {}}}
    scale_set = _resource(SCALE_SET, plan.scale_set, properties, **top)
    return _template([merged(scale_set, plan.extra_scale_set)], cluster)


def _engine_vm_profile(cluster: ClusterPlan, plan: EngineSetPlan) -> Json:
    profile: Json = {
        "osProfile": {
            "computerNamePrefix": plan.scale_set[-58:],
            **os_profile(plan.machine),
        },
        "storageProfile": storage_profile(plan.machine),
        **security_profile(plan.machine),
        **diagnostics_profile(plan.machine),
        # the only values are 2020-11-01 and 2022-11-01: enum NetworkApiVersion of the SDK
        "networkProfile": {
            "networkApiVersion": "2022-11-01",
            "networkInterfaceConfigurations": [_engine_nic(cluster, plan)],
        },
    }
    if plan.machine.priority == "Spot":
        # -1: never evicted for its price, at most the regular price is paid
        spot: Json = {"evictionPolicy": "Delete", "billingProfile": {"maxPrice": -1}}
        profile.update(priority="Spot", **spot)
    return profile


def _engine_nic(cluster: ClusterPlan, plan: EngineSetPlan) -> Json:
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


def _template(resources: list[Json], plan: ClusterPlan) -> Json:
    secure = {"type": "securestring"}  # kept out of the group's deployment history
    tags = {"type": "object", "defaultValue": _tags_by_hand(plan)}
    location = {"type": "string", "defaultValue": plan.location}
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {
            "sshPublicKey": secure,
            "customData": secure,
            "tags": tags,
            "location": location,
        },
        "resources": resources,
    }


def _resource(
    kind: str,
    name: str,
    properties: Json,
    *,
    depends_on: tuple[str, ...] = (),
    **top: Any,
) -> Json:
    resource: Json = {
        "type": kind,
        "apiVersion": api_version(kind),
        "name": name,
        "location": LOCATION,
    }
    if depends_on:
        resource["dependsOn"] = list(depends_on)
    return {**resource, "tags": TAGS, **top, "properties": properties}


def _tags_by_hand(plan: ClusterPlan) -> Json:
    """The tags of what is deployed by hand: the user's own, and which start wrote the job file."""
    tags = {name: value for name, value in plan.tags.items() if not is_ours(name)}
    tags[JOB_FILE_TAG] = plan.names.base
    return {name: literal(value) for name, value in tags.items()}


def resource_id_expression(kind: str, *names: str) -> str:
    """Return the expression for the id of a resource in the group that is deployed to."""
    quoted = ", ".join(f"'{item}'" for item in (kind, *names))
    return f"[resourceId({quoted})]"


def _subnet(plan: ClusterPlan, name: str) -> str:
    return plan.subnet_id or resource_id_expression(SUBNET, plan.names.virtual_network, name)


def _security_group(plan: ClusterPlan) -> Json:
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
    return _resource(NSG, name, {"securityRules": [rule]})


def _public_ip(plan: ClusterPlan) -> Json:
    properties = {
        "publicIPAllocationMethod": "Static",
        "publicIPAddressVersion": "IPv4",
        "deleteOption": f"[parameters('{ADDRESS_GOES}')]",
    }
    return _resource(PUBLIC_IP, plan.names.public_ip, properties, sku={"name": "Standard"})


def _virtual_network(plan: ClusterPlan) -> Json:
    prefixes = {CONTROLLER_SUBNET: plan.controller_prefix, ENGINE_SUBNET: plan.engine_prefix}
    properties = {
        "addressSpace": {"addressPrefixes": [plan.address_prefix]},
        "subnets": [
            {"name": name, "properties": {"addressPrefix": prefix, "defaultOutboundAccess": False}}
            for name, prefix in prefixes.items()
        ],
    }
    return _resource(VIRTUAL_NETWORK, plan.names.virtual_network, properties)


def _controller_nic(plan: ClusterPlan) -> Json:
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
    nic = _resource(NIC, plan.names.controller_nic, properties, depends_on=tuple(depends_on))
    return merged(nic, plan.extra_nic)


def _controller_vm(plan: ClusterPlan) -> Json:
    nic = resource_id_expression(NIC, plan.names.controller_nic)
    properties = {
        "hardwareProfile": {"vmSize": plan.machine.vm_size},
        "storageProfile": storage_profile(plan.machine),
        **security_profile(plan.machine),
        **diagnostics_profile(plan.machine),
        "osProfile": {"computerName": plan.names.controller, **os_profile(plan.machine)},
        "networkProfile": {
            "networkInterfaces": [
                {"id": nic, "properties": {"primary": True, "deleteOption": "Delete"}}
            ]
        },
    }
    identity = {"identity": {"type": "SystemAssigned"}} if plan.identity else {}
    top = {**identity, **zones(plan.machine), **purchase_plan(plan.machine)}
    machine = _resource(
        VIRTUAL_MACHINE, plan.names.controller, properties, depends_on=(nic,), **top
    )
    return merged(machine, plan.extra_vm)
