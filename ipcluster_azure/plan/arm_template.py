"""Plan -> ARM resource bodies: the one source for the calls made and the job files written. Pure.

A job file is an ARM template, deployable into any group with `az deployment group create`; the
launcher submits exactly what it says, after requests.py has put its expressions into effect.

The tags are a parameter. Those that make a cluster of it, with an owner and an end, come from the
launcher. Who deploys a job file by hand makes machines that no launcher knows: with such tags
`list` would call them a running cluster, and `reap` would delete them.
"""

import base64
import json

from ..naming import JOB_FILE_TAG, is_ours
from .cluster_plan import ClusterPlan, EngineSetPlan
from .extra_members import merged
from .machine_properties import (
    diagnostics_profile,
    os_profile,
    purchase_plan,
    security_profile,
    storage_profile,
    zones,
)
from .network import (
    ADDRESS_GOES,
    controller_nic,
    engine_nic,
    public_ip,
    security_group,
    virtual_network,
)
from .resource_types import NIC, SCALE_SET, VIRTUAL_MACHINE, Json
from .template_language import literal, resource, resource_id_expression

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


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
    resources = [security_group(plan)]
    if plan.public_ip:
        resources.append(public_ip(plan))
    if not plan.subnet_id:
        resources.append(virtual_network(plan))
    resources += [controller_nic(plan), _controller_vm(plan)]
    template = _template(resources, plan)
    template["parameters"]["sshSources"] = {
        "type": "array",
        "defaultValue": list(plan.ssh_sources),
        "metadata": {"description": "Addresses that may reach the SSH port, as CIDRs"},
    }
    # a launcher may delete a machine that Azure has no room for, and keep the address
    goes = {"type": "string", "defaultValue": "Detach", "allowedValues": ["Delete", "Detach"]}
    meaning = "Whether the public address is deleted with the controller's machine"
    template["parameters"][ADDRESS_GOES] = {**goes, "metadata": {"description": meaning}}
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
    scale_set = resource(SCALE_SET, plan.scale_set, properties, **top)
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
            "networkInterfaceConfigurations": [engine_nic(cluster, plan)],
        },
    }
    if plan.machine.priority == "Spot":
        # -1: never evicted for its price, at most the regular price is paid
        spot: Json = {"evictionPolicy": "Delete", "billingProfile": {"maxPrice": -1}}
        profile.update(priority="Spot", **spot)
    return profile


def _template(resources: list[Json], plan: ClusterPlan) -> Json:
    secure = {"type": "securestring"}  # kept out of the group's deployment history
    tags = {"type": "object", "defaultValue": _tags_by_hand(plan)}
    location = {
        "type": "string",
        "defaultValue": plan.location,
        "metadata": {"description": "Where all of it is made"},
    }
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


def _tags_by_hand(plan: ClusterPlan) -> Json:
    """The tags of what is deployed by hand: the user's own, and which start wrote the job file."""
    tags = {name: value for name, value in plan.tags.items() if not is_ours(name)}
    tags[JOB_FILE_TAG] = plan.names.base
    return {name: literal(value) for name, value in tags.items()}


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
    machine = resource(VIRTUAL_MACHINE, plan.names.controller, properties, depends_on=(nic,), **top)
    return merged(machine, plan.extra_vm)
