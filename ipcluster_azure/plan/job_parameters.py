"""The parameters of a job file that starts a cluster by itself. Pure.

Each has a default, an expression of others perhaps, or is one of SECRETS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import ConfigurationError
from ..naming import CREATED_TAG, TAG_PREFIX
from .cluster_plan import ClusterPlan
from .custom_data import parameter, quoted
from .network import ADDRESS_GOES
from .resource_types import Json
from .template_language import literal

CUSTOM_DATA_LIMIT = 65_535  # bytes, before they become base64
# the secrets of both job files, so that one file of parameters suits both
SECRETS = (
    *("sshPublicKey", "clusterKey", "controllerHostKey", "controllerHostPublicKey"),
    *("engineHostKey", "engineHostPublicKey", "controllerVariables", "engineVariables"),
)
BASE = ("location", "sshSources", ADDRESS_GOES)  # parameters that stay as they are
METADATA = {"description": "Starts a cluster by itself: see `ipcluster-azure template`"}


@dataclass(frozen=True, kw_only=True)
class SelfStart:
    """What the job files of one cluster carry besides its plan.

    The programs are archives as text; `kind` and `image_python` are the record's Environment's.
    A `cmd` ends in ipcontroller or ipengine. `ca_pem`: authorities that the Resource Manager's
    certificate is of, if it isn't one that all know. `scale_sets`: those that are known to come.
    The variables are parameters, as they may be secrets: only their length in bytes is told.
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
    controller_variables_bytes: int = 0
    engine_variables_bytes: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """A Python that the machines have from the start."""
        return self.image_python if self.kind == "image" else "python3"


def with_parameters(
    template: Json,
    plan: ClusterPlan,
    parts: SelfStart,
    data: str,
    own: Json,
    boot: Json,
    programs: str,
) -> Json:
    """Return the template with all parameters: the `own` of this side, those of both, and `data`,
    the default of customData, which holds `boot` and `programs`.
    """
    known = "Of the file of parameters, which belongs to both job files"
    described = {
        name: {"type": "securestring", "metadata": {"description": known}} for name in SECRETS
    }
    may_delete = with_default(
        "bool",
        plan.identity,
        "Give the controller's machine, by a role, the right to delete the cluster's machines "
        "when a limit is reached",
    )
    time = {
        "maxLifetimeSeconds": integer(
            parts.max_lifetime_s, "Seconds after which the cluster ends; 0: never"
        ),
        "created": with_default("string", "[utcNow('s')]", "The time of the deployment: leave it"),
    }
    tags = with_default("object", _tags(plan, parts), "By these ipcluster-azure knows the cluster")
    secret = with_default("securestring", data, "What cloud-init does on a machine: leave it")
    carried = {
        "programs": with_default("string", programs, "What customData unpacks: leave it"),
        "boot": with_default("object", boot, "What these programs are told: leave it"),
    }
    base = {name: template["parameters"][name] for name in BASE if name in template["parameters"]}
    parameters = {**described, **own, **time, "selfDeletion": may_delete, **base, "tags": tags}
    parameters.update(customData=secret, **carried)
    resources = [item for item in template["resources"] if "condition" not in item]
    return {**template, "metadata": METADATA, "parameters": parameters, "resources": resources}


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


def require_room(
    plan: ClusterPlan, own: Json, boot: Json, programs: str, variables_bytes: int
) -> None:
    """Raise ConfigurationError if customData of these may be more than Azure takes."""
    # the expression's own words, the host key, and ids of the longest group and subscription
    rest = 4_000 + 2 * (len(str(boot)) + len(str(own)) + variables_bytes + 2 * len(plan.names.base))
    if len(programs) + rest > CUSTOM_DATA_LIMIT:
        raise ConfigurationError(
            f"The job files can't start a cluster by themselves: its programs and packages take "
            f"{len(programs)} bytes as text, and of the {CUSTOM_DATA_LIMIT} that a machine can be "
            f"given {max(CUSTOM_DATA_LIMIT - rest, 0)} are left for them. Use fewer packages, with "
            "python_environment = 'minimal' or sync_exclude, or an image that has them, and fewer "
            "environment variables."
        )


def with_default(kind: str, value: object, text: str) -> Json:
    return {"type": kind, "defaultValue": value, "metadata": {"description": text}}


def integer(value: int, text: str) -> Json:
    return {**with_default("int", value, text), "minValue": 0}


def array(words: Sequence[str], text: str) -> Json:
    return with_default("array", [literal(word) for word in words], text)
