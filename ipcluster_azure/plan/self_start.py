"""Job files that start a cluster by themselves: what a launcher does over SSH, as customData. Pure.

A launcher gives the parameter customData, as its machines have but their host key from it. Who
deploys a job file by hand doesn't: then customData is its default, an expression that composes what
cloud-init carries out from the other parameters. on_vm/agent/boot.py is what it starts.

Nothing in it may change from one deployment to the next, or Azure would refuse the second: only
tags know the time. ARM's functions, and that defaults may refer to other parameters:
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import ConfigurationError
from ..naming import CREATED_TAG, TAG_PREFIX
from .cluster_plan import ClusterPlan, EngineSetPlan
from .custom_data import custom_data, parameter, quoted
from .network import ADDRESS_GOES
from .resource_types import (
    AUTHORIZATION_API,
    COMPUTE_API,
    ROLE_ASSIGNMENT,
    SCALE_SET,
    VIRTUAL_MACHINE,
    Json,
)
from .template_language import literal, resource_id_expression

CUSTOM_DATA_LIMIT = 65_535  # bytes, before they become base64
GUARD_PORT = 8787  # of the controller, in the virtual network: machines must know it beforehand
GRACE_S = 60  # for a computer that has attached to end the cluster itself
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"  # built in; the same id in every tenant
DELETED = f"?api-version={COMPUTE_API}&forceDeletion=true"
# the secrets of both job files, so that one file of parameters suits both
SECRETS = (
    *("sshPublicKey", "clusterKey", "controllerHostKey", "controllerHostPublicKey"),
    *("engineHostKey", "engineHostPublicKey", "controllerVariables", "engineVariables"),
)


@dataclass(frozen=True, kw_only=True)
class SelfStart:
    """What the job files of one cluster carry besides its plan.

    The programs are archives as text; `kind` and `image_python` are the record's Environment's.
    A `cmd` ends in ipcontroller or ipengine. `ca_pem`: authorities that the Resource Manager's
    certificate is of, if it isn't one that all know. `scale_sets`: those that are known to come.
    """

    controller_programs: str
    engine_programs: str
    kind: str
    image_python: str
    resource_manager: str
    audience: str
    max_lifetime_s: int
    idle_timeout_s: int
    ca_pem: str = ""
    controller_cmd: Sequence[str] = ("ipcontroller",)
    controller_args: Sequence[str] = ()
    engine_cmd: Sequence[str] = ("ipengine",)
    engine_args: Sequence[str] = ()
    scale_sets: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """A Python that the machines have from the start."""
        return self.image_python if self.kind == "image" else "python3"


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
        "controllerCmd": _array(parts.controller_cmd, "What is run; its last word is ipcontroller"),
        "controllerArgs": _array(parts.controller_args, "Further arguments of ipcontroller"),
        "idleTimeoutSeconds": _integer(
            parts.idle_timeout_s, "Seconds without a task after which the cluster ends; 0: never"
        ),
    }
    data = custom_data(plan, parts.python, "controller", dict(zip(given, values, strict=True)))
    template = _with_parameters(template, plan, parts, data, own, boot, parts.controller_programs)
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
    template: Json, cluster: ClusterPlan, plan: EngineSetPlan, parts: SelfStart
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
        "engineCmd": _array(parts.engine_cmd, "What is run; its last word is ipengine"),
        "engineArgs": _array(parts.engine_args, "Further arguments of ipengine"),
    }
    data = custom_data(cluster, parts.python, "engines", given)
    template = _with_parameters(template, cluster, parts, data, own, boot, parts.engine_programs)
    if cluster.identity:
        template["resources"].append(_role(SCALE_SET, plan.scale_set, cluster))
    return template


def _with_parameters(
    template: Json,
    plan: ClusterPlan,
    parts: SelfStart,
    data: str,
    own: Json,
    boot: Json,
    programs: str,
) -> Json:
    described = {name: {"type": "securestring"} for name in SECRETS}
    may_delete = _described(
        "bool",
        plan.identity,
        "Give the controller's machine, by a role, the right to delete the cluster's machines "
        "when a limit is reached",
    )
    time = {
        "maxLifetimeSeconds": _integer(
            parts.max_lifetime_s, "Seconds after which the cluster ends; 0: never"
        ),
        "created": _described("string", "[utcNow('s')]", "The time of the deployment: leave it"),
    }
    tags = {"type": "object", "defaultValue": _tags(plan, parts)}
    secret = {"type": "securestring", "defaultValue": data}
    carried = {
        "programs": {"type": "string", "defaultValue": programs},
        "boot": {"type": "object", "defaultValue": boot},
    }
    _check_size(plan, boot, own, programs)
    base = {key: value for key, value in template["parameters"].items() if key not in described}
    parameters = {**described, **own, **time, "selfDeletion": may_delete, **base, "tags": tags}
    parameters.update(customData=secret, **carried)
    return {**template, "parameters": parameters, "resources": [*template["resources"]]}


def _tags(plan: ClusterPlan, parts: SelfStart) -> str:
    """Return an expression for the tags by which `list` and `reap` know the cluster.

    It is another cluster in each group that it is deployed to, and the same at each deployment.
    """
    created = parameter("created")
    moment = f"concat({created}, '+00:00')"
    lifetime = parameter("maxLifetimeSeconds")
    span = f"concat('PT', string({lifetime}), 'S')"
    expires = f"concat(dateTimeAdd({created}, {span}, 's'), '+00:00')"
    identity = f"concat({quoted(plan.names.base + '-')}, uniqueString(resourceGroup().id))"
    own = {f"{TAG_PREFIX}-cluster": identity, CREATED_TAG: moment}
    tags = {name: quoted(value) for name, value in parts.tags.items()} | own
    pairs = ", ".join(f"{quoted(name)}, {value}" for name, value in tags.items())
    end = f"createObject({quoted(f'{TAG_PREFIX}-expires')}, {expires})"
    return f"[union(createObject({pairs}), if(equals({lifetime}, 0), createObject(), {end}))]"


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


def _check_size(plan: ClusterPlan, boot: Json, own: Json, programs: str) -> None:
    """Raise ConfigurationError if customData may be more than Azure takes."""
    # the expression's own words, the host key, and ids of the longest group and subscription
    rest = 4_000 + 2 * len(str(boot)) + 2 * len(str(own)) + 4 * len(plan.names.base)
    if len(programs) + rest > CUSTOM_DATA_LIMIT:
        raise ConfigurationError(
            f"The job files can't start a cluster by themselves: its programs and packages take "
            f"{len(programs)} bytes as text, and of the {CUSTOM_DATA_LIMIT} that a machine can be "
            f"given {CUSTOM_DATA_LIMIT - rest} are left for them. Use fewer packages, with "
            "python_environment = 'minimal' or sync_exclude, or an image that has them."
        )


def _id(kind: str, name: str) -> str:
    """Return a resource's id as part of an expression."""
    return resource_id_expression(kind, name)[1:-1]


def _described(kind: str, value: object, text: str) -> Json:
    return {"type": kind, "defaultValue": value, "metadata": {"description": text}}


def _integer(value: int, text: str) -> Json:
    return {**_described("int", value, text), "minValue": 0}


def _array(words: Sequence[str], text: str) -> Json:
    return _described("array", [literal(word) for word in words], text)
