"""Job files that start a cluster by themselves: what a launcher does over SSH, as customData. Pure.

A launcher gives the parameter customData, as its machines have but their host key from it. Who
deploys a job file by hand doesn't: then customData is its default, an expression that composes what
cloud-init carries out from the other parameters. on_vm/agent/boot.py is what it starts.

Nothing in it may change from one deployment to the next, or Azure would refuse the second: only
tags know the time. ARM's functions, and that defaults may refer to other parameters:
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

from dataclasses import dataclass

from ..errors import ConfigurationError
from .cluster_plan import ClusterPlan
from .custom_data import custom_data, parameter, quoted
from .job_parameters import SelfStart, array, integer, require_room, with_parameters
from .network import ADDRESS_GOES
from .resource_types import (
    AUTHORIZATION_API,
    COMPUTE_API,
    ROLE_ASSIGNMENT,
    SCALE_SET,
    VIRTUAL_MACHINE,
    Json,
)
from .template_language import resource_id_expression

GUARD_PORT = 8787  # of the controller, in the virtual network: machines must know it beforehand
GRACE_S = 60  # for a computer that has attached to end the cluster itself
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"  # built in; the same id in every tenant
DELETED = f"?api-version={COMPUTE_API}&forceDeletion=true"


@dataclass(frozen=True, kw_only=True)
class StartingSet:
    """The engine set of a job file: `n` engines on machines of `vcpus`, some on each."""

    set_id: str
    scale_set: str
    n: int
    engines_per_vm: int
    vcpus: int


def starting_controller(template: Json, plan: ClusterPlan, parts: SelfStart) -> Json:
    """Return the controller's template, so that it starts ipcontroller and its guard by itself.

    Raises ConfigurationError if customData would be too large, and in an existing subnet, where
    nobody can say beforehand which address is free: the engines' customData must name it.
    """
    if not plan.controller_address:
        raise ConfigurationError(
            "Job files can't start a cluster by themselves in an existing subnet, as the "
            "controller's address is not known beforehand. Leave subnet_id empty for them."
        )
    boot = {
        "kind": parts.kind,
        "image_python": parts.image_python,
        "address": plan.controller_address,
        "resource_manager": parts.resource_manager,
        "audience": parts.audience,
        "ca_pem": parts.ca_pem,
        "port": GUARD_PORT,
        "grace_s": GRACE_S,
    }
    deleted = _deleted(plan, parts)
    given = "cmd args variables key max_lifetime_s idle_timeout_s delete".split()
    values = [
        *(parameter(name) for name in ("controllerCmd", "controllerArgs", "controllerVariables")),
        parameter("clusterKey"),
        *(parameter(name) for name in ("maxLifetimeSeconds", "idleTimeoutSeconds")),
        f"if({parameter('selfDeletion')}, {deleted}, createArray())",
    ]
    own = {
        "controllerCmd": array(parts.controller_cmd, "What is run; its last word is ipcontroller"),
        "controllerArgs": array(parts.controller_args, "Further arguments of ipcontroller"),
        "idleTimeoutSeconds": integer(
            parts.idle_timeout_s, "Seconds without a task after which the cluster ends; 0: never"
        ),
    }
    data = custom_data(plan, parts.python, "controller", dict(zip(given, values, strict=True)))
    programs = parts.controller_programs
    require_room(plan, own, boot, programs, parts.controller_variables_bytes)
    template = with_parameters(template, plan, parts, data, own, boot, programs)
    if plan.identity:
        template["resources"].append(_role(VIRTUAL_MACHINE, plan.names.controller, plan))
    template["parameters"][ADDRESS_GOES]["defaultValue"] = "Delete"
    return template


def _deleted(plan: ClusterPlan, parts: SelfStart) -> str:
    """Return an expression for what the guard deletes: the controller's machine is the last."""
    kinds = [*((SCALE_SET, name) for name in parts.scale_sets)]
    kinds.append((VIRTUAL_MACHINE, plan.names.controller))
    urls = ", ".join(f"concat({_id(*item)}, {quoted(DELETED)})" for item in kinds)
    return f"createArray({urls})"


def starting_engines(
    template: Json, cluster: ClusterPlan, plan: StartingSet, parts: SelfStart
) -> Json:
    """Return the engine set's template, so that its machines join the controller by themselves.

    Raises ConfigurationError if customData would be too large.
    """
    boot = {
        "kind": parts.kind,
        "image_python": parts.image_python,
        "set": plan.set_id,
        "cores": plan.vcpus,
        "n": plan.n,
        "most": plan.engines_per_vm,
    }
    place = f"'location', {quoted(cluster.controller_address)}, 'guard', {GUARD_PORT}"
    url = f"concat({_id(SCALE_SET, plan.scale_set)}, {quoted(DELETED)})"
    given = {
        "cmd": parameter("engineCmd"),
        "args": parameter("engineArgs"),
        "variables": parameter("engineVariables"),
        "hub": f"createObject({place}, 'key', {parameter('clusterKey')})",
        "delete": f"if({parameter('selfDeletion')}, {url}, '')",
    }
    own = {
        "engineCmd": array(parts.engine_cmd, "What is run; its last word is ipengine"),
        "engineArgs": array(parts.engine_args, "Further arguments of ipengine"),
    }
    data = custom_data(cluster, parts.python, "engines", given)
    programs = parts.engine_programs
    require_room(cluster, own, boot, programs, parts.engine_variables_bytes)
    template = with_parameters(template, cluster, parts, data, own, boot, programs)
    if cluster.identity:
        template["resources"].append(_role(SCALE_SET, plan.scale_set, cluster))
    return template


def _role(kind: str, name: str, plan: ClusterPlan) -> Json:
    """Return the controller's right to delete a resource, if the parameter selfDeletion is set."""
    controller = _id(VIRTUAL_MACHINE, plan.names.controller)
    scope = _id(kind, name)
    role = f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{CONTRIBUTOR}')"
    identity = f"reference({controller}, '{COMPUTE_API}', 'full').identity.principalId"
    return {
        "type": ROLE_ASSIGNMENT,
        "apiVersion": AUTHORIZATION_API,
        "condition": "[parameters('selfDeletion')]",
        "name": f"[guid({scope}, {quoted('delete')})]",
        "scope": resource_id_expression(kind, name),
        "dependsOn": [resource_id_expression(kind, name)],
        "properties": {
            "roleDefinitionId": f"[{role}]",
            "principalId": f"[{identity}]",
            "principalType": "ServicePrincipal",
        },
    }


def _id(kind: str, name: str) -> str:
    """Return a resource's id as part of an expression."""
    return resource_id_expression(kind, name)[1:-1]
