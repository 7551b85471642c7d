"""The cluster's record: the only mutable thing between the steps. record_file.py keeps it.

It is written before the first resource is requested, and names everything that may exist, so that
any process of this user can reach the cluster and delete it. It holds no secret; the login key
lies beside it. The file's name matches neither `cluster-*.json`, which ipyparallel loads as a
cluster, nor `ipcontroller-*.json`, which `ipcluster clean` deletes.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from .naming import ClusterNames
from .plan import ClusterPlan, MachinePlan, VmSize

FORMAT = 1
CREATING, READY, KEPT, DELETING = "creating", "ready", "kept", "deleting"


@dataclass
class Endpoint:
    """Where the Resource Manager is and how to log in there."""

    url: str
    audience: str
    ca_file: str = ""
    token_file: str = ""


@dataclass
class Environment:
    """Which Python the machines run; one for the whole cluster."""

    kind: str
    image_python: str
    requirements: list[str]
    python: str
    ipyparallel: str


@dataclass
class Limits:
    """When the cluster ends by itself; 0: never. `self_deletion`: its controller's machine may
    delete it, with a managed identity."""

    max_lifetime_h: float = 0.0
    idle_timeout_min: float = 0.0
    self_deletion: bool = False


@dataclass
class Controller:
    """The controller's machine; `host` is where SSH reaches it, `address` is inside the network.

    `job_file` says what was asked for; `alternatives` are what to ask for if Azure has no room for
    it. `network_ready` says that engines can be requested in that network.
    `operation` is the URL of Azure's report on the machine's creation; `args` and `variables` are
    the further command-line arguments and environment variables of ipcontroller; at `depot_url` it
    offers the bundle and the environment of these hashes to the engines' machines.
    """

    state: str = CREATING
    job_file: str = ""
    alternatives: list[VmSize] = field(default_factory=list)
    network_ready: bool = False
    vm_id: str = ""
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


@dataclass
class Machine:
    """One machine of an engine set and how many engines it runs."""

    name: str
    address: str
    engines: int


@dataclass
class EngineSet:
    """One scale set. KEPT: its engines are stopped, its machines wait for a restart."""

    scale_set_id: str
    n: int
    engines_per_vm: int
    vcpus: int
    host_key: str
    state: str = CREATING
    operation: str = ""
    machines: list[Machine] = field(default_factory=list)


@dataclass
class Tunnel:
    """A client port: on this computer's loopback, and on the controller. 0: not chosen yet."""

    local: int
    remote: int


@dataclass
class Record:
    cluster_id: str
    created: str
    endpoint: Endpoint
    plan: ClusterPlan
    environment: Environment
    state: str = CREATING
    limits: Limits = field(default_factory=Limits)
    controller: Controller = field(default_factory=Controller)
    engine_sets: dict[str, EngineSet] = field(default_factory=dict)
    resources: list[str] = field(default_factory=list)
    secret_files: list[str] = field(default_factory=list)
    tunnels: dict[str, Tunnel] = field(default_factory=dict)
    link_pid: int = 0
    format: int = FORMAT

    @property
    def deleting(self) -> bool:
        return self.state == DELETING

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Record":
        data = json.loads(text)
        data["endpoint"] = Endpoint(**data["endpoint"])
        data["environment"] = Environment(**data["environment"])
        data["limits"] = Limits(**data.get("limits", {}))
        data["controller"] = _controller(data["controller"])
        data["engine_sets"] = {
            key: _engine_set(value) for key, value in data["engine_sets"].items()
        }
        data["tunnels"] = {key: Tunnel(**value) for key, value in data["tunnels"].items()}
        data["plan"] = _plan(data["plan"])
        return cls(**data)


def _controller(data: dict[str, Any]) -> Controller:
    sizes = [VmSize(**item) for item in data.get("alternatives", ())]
    return Controller(**{**data, "alternatives": sizes})


def _engine_set(data: dict[str, Any]) -> EngineSet:
    return EngineSet(**{**data, "machines": [Machine(**item) for item in data["machines"]]})


def _plan(data: dict[str, Any]) -> ClusterPlan:
    names, machine = ClusterNames(**data["names"]), MachinePlan(**data["machine"])
    sources = tuple(data["ssh_sources"])
    return ClusterPlan(**{**data, "names": names, "machine": machine, "ssh_sources": sources})
