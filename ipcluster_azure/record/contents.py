"""The cluster's record: the only mutable thing between the steps. file.py keeps it.

It is written before the first resource is requested, and names everything that may exist, so that
any process of this user can reach the cluster and delete it. It holds no secret of ours; the login
key lies beside it. What users gave may hold theirs: a deletion forgets that. The file's name
matches neither `cluster-*.json`, which ipyparallel loads as a cluster, nor `ipcontroller-*.json`,
which `ipcluster clean` deletes.

FORMAT changes when an older version could misread a record. A member that is new must have a
default, so that older records stay readable; `RecordCore` of endpoint.py stays where it is in all
formats, so that any version can delete the clusters of any other.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from ..endpoint import Endpoint, RecordCore
from ..naming import ClusterNames
from ..plan.cluster_plan import ClusterPlan, MachinePlan
from ..plan.vm_sizes import VmSize
from .cost import Cost, CostPart
from .environment import Environment
from .joining import Joining
from .user_files import OwnFiles, Preparation

T = TypeVar("T")
FORMAT = 1
NOTEBOOK = "notebook"  # the forward to JupyterLab on the controller's machine
DASK = "dask"  # the tunnel to the scheduler that Client.become_dask starts on the controller
CREATING, READY, KEPT, DELETING = "creating", "ready", "kept", "deleting"
STARTING, RUNNING = "starting", "running"  # words for parts that are not, or all, READY
CREATED = "created"  # a cluster's state alone: its machines are there, and nothing runs on them


# how far the link is with the last visit before a deletion (link/farewell.py)
VISIT_OFFERED, VISIT_BEGUN, VISIT_DONE = "offered", "begun", "done"


class UnknownMembers(ValueError):
    """A record has members that this version does not know: a newer one wrote it."""


@dataclass
class Limits:
    """When the cluster ends by itself; 0: never. `self_deletion`: its controller's machine may
    delete it, with a managed identity; without that right a start fails where it is required."""

    max_lifetime_h: float = 0.0
    idle_timeout_min: float = 0.0
    self_deletion: bool = False
    self_deletion_required: bool = False


@dataclass
class Controller:
    """The controller's machine; `host` is where SSH reaches it, `address` is inside the network.

    `job_file` says what was asked for; `alternatives` are what to ask for if Azure has no room for
    it. `principal_id` is its managed identity's, if it has one. `network_ready` says that engines
    can be requested in that network.
    `operation` is the URL of Azure's report on the machine's creation, which must answer over SSH
    within `boot_timeout_s`; `args` and `variables` are the further command-line arguments and
    environment variables of ipcontroller, `cmd` is what runs it (ProcessSpec); at `depot_url` it
    offers the bundle and the environment of these hashes to the engines' machines.
    """

    state: str = CREATING
    job_file: str = ""
    alternatives: list[VmSize] = field(default_factory=list)
    network_ready: bool = False
    vm_id: str = ""
    principal_id: str = ""
    host: str = ""
    address: str = ""
    host_key: str = ""
    operation: str = ""
    args: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    depot_url: str = ""
    bundle_sha256: str = ""
    environment_sha256: str = ""
    boot_timeout_s: float = 600.0
    cmd: list[str] = field(default_factory=list)


@dataclass
class Machine:
    """One machine of an engine set and how many engines it runs."""

    name: str
    address: str
    engines: int


@dataclass
class EngineSet:
    """One scale set. KEPT: its engines are stopped, its machines wait for a restart.

    `args`, `variables` and `files` are the further command-line arguments of its engines, their
    environment variables and what they run (Preparation), and `cmd` is what runs them
    (ProcessSpec), for machines that take the place of others; `lost_engines` were on machines that
    died, and are to be replaced; `joining` are those that a start did not wait for.
    """

    scale_set_id: str
    n: int
    engines_per_vm: int
    vcpus: int
    host_key: str
    state: str = CREATING
    operation: str = ""
    machines: list[Machine] = field(default_factory=list)
    args: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    boot_timeout_s: float = 600.0
    lost_engines: int = 0
    files: list[tuple[str, str]] = field(default_factory=list)
    gpus: int = 0  # of each machine
    cmd: list[str] = field(default_factory=list)
    joining: Joining = field(default_factory=Joining)

    @property
    def yet_to_join(self) -> int:
        """How many engines are on the machines of `joining`, those that are registered included."""
        return sum(one.engines for one in self.machines if one.name in self.joining.machines)


@dataclass
class Tunnel:
    """A client port: on this computer's loopback, and on the controller. 0: not chosen yet."""

    local: int
    remote: int


@dataclass
class Record:
    """What is known of one cluster.

    `stays`: its machines outlive what runs on them, as `ipcluster-azure create` has made them or
    `deploy` has taken them over. `asked` are the settings that they were made by
    (start/created.py); the process `keeper_pid` sees to the limits while nothing runs on them, and
    the process `starter_pid`, which has begun at `starter_began`, starts what runs on them.
    `deployments` counts the starts on machines that were there.
    """

    cluster_id: str
    created: str
    endpoint: Endpoint
    plan: ClusterPlan
    environment: Environment
    state: str = CREATING
    limits: Limits = field(default_factory=Limits)
    cost: Cost = field(default_factory=Cost)
    preparation: Preparation = field(default_factory=Preparation)
    own_files: OwnFiles = field(default_factory=OwnFiles)
    controller: Controller = field(default_factory=Controller)
    engine_sets: dict[str, EngineSet] = field(default_factory=dict)
    resources: list[str] = field(default_factory=list)
    secret_files: list[str] = field(default_factory=list)
    tunnels: dict[str, Tunnel] = field(default_factory=dict)
    forwards: dict[str, Tunnel] = field(default_factory=dict)  # of other programs than ipyparallel
    link_pid: int = 0
    watcher_pid: int = 0  # of the process that starts the link again
    last_visit: str = ""  # one of VISIT_*, empty if the link makes none
    ended_because: str = ""  # the link's reason to delete it, for launchers to say
    stays: bool = False
    deployments: int = 0
    asked: dict[str, Any] = field(default_factory=dict)
    keeper_pid: int = 0
    starter_pid: int = 0
    starter_began: float = 0.0  # in seconds since 1970, as psutil has it
    format: int = FORMAT

    @property
    def deleting(self) -> bool:
        return self.state == DELETING

    @property
    def is_created(self) -> bool:
        """Whether its machines are there, and nothing runs on them."""
        return self.state == CREATED

    @property
    def in_word(self) -> str:
        """What a list says of its state: deleting, created, starting or running."""
        if self.deleting or self.is_created:
            return self.state
        parts = [self.controller.state, *(item.state for item in self.engine_sets.values())]
        return RUNNING if all(part == READY for part in parts) else STARTING

    @property
    def engines(self) -> int:
        """How many engines its machines are for."""
        return sum(engine_set.n for engine_set in self.engine_sets.values())

    def forget_secrets(self) -> None:
        """Drop what users may have put passwords into; of no use to a deletion."""
        self.environment.requirements, self.environment.asked = [], {}
        kinds: list[Controller | EngineSet] = [self.controller, *self.engine_sets.values()]
        for processes in kinds:
            processes.args, processes.variables = [], {}

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @property
    def core(self) -> RecordCore:
        return RecordCore.from_data(asdict(self))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Record":
        """From what to_json() wrote, by this version or an older one with the same FORMAT.

        Raises UnknownMembers; TypeError, KeyError or AttributeError if it is no record.
        """
        values = dict(data)
        values["endpoint"] = _made(Endpoint, data["endpoint"])
        values["environment"] = _made(Environment, data["environment"])
        values["limits"] = _made(Limits, data.get("limits", {}))
        values["cost"] = _cost(data.get("cost", {}))
        values["preparation"] = _preparation(data.get("preparation", {}))
        values["own_files"] = _made(OwnFiles, data.get("own_files", {}))
        values["controller"] = _controller(data["controller"])
        values["engine_sets"] = {
            key: _engine_set(value) for key, value in data["engine_sets"].items()
        }
        values["tunnels"] = {key: _made(Tunnel, item) for key, item in data["tunnels"].items()}
        forwards = data.get("forwards", {})
        values["forwards"] = {key: _made(Tunnel, item) for key, item in forwards.items()}
        values["plan"] = _plan(data["plan"])
        return _made(cls, values)


def _made(kind: type[T], data: Mapping[str, Any]) -> T:
    unknown = data.keys() - {item.name for item in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise UnknownMembers(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**data)


def _preparation(data: Mapping[str, Any]) -> Preparation:
    return _made(Preparation, {**data, "files": _files(data)})


def _files(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, path) for name, path in data.get("files", ())]


def _cost(data: Mapping[str, Any]) -> Cost:
    parts = {
        name: {key: _made(CostPart, part) for key, part in data.get(name, {}).items()}
        for name in ("parts", "controllers")
    }
    return _made(Cost, {**data, **parts})


def _controller(data: Mapping[str, Any]) -> Controller:
    sizes = [_made(VmSize, item) for item in data.get("alternatives", ())]
    return _made(Controller, {**data, "alternatives": sizes})


def _engine_set(data: Mapping[str, Any]) -> EngineSet:
    machines = [_made(Machine, item) for item in data["machines"]]
    joining = _made(Joining, data.get("joining", {}))
    made = {"machines": machines, "joining": joining, "files": _files(data)}
    return _made(EngineSet, {**data, **made})


def _plan(data: Mapping[str, Any]) -> ClusterPlan:
    names, machine = _made(ClusterNames, data["names"]), _made(MachinePlan, data["machine"])
    sources = tuple(data["ssh_sources"])
    return _made(ClusterPlan, {**data, "names": names, "machine": machine, "ssh_sources": sources})
