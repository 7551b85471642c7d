"""The cluster's record on disk: the only mutable thing between the steps.

It is written before the first resource is requested, and names everything that may exist, so that
any process of this user can reach the cluster and delete it. It holds no secret; the login key
lies beside it. The file's name matches neither `cluster-*.json`, which ipyparallel loads as a
cluster, nor `ipcontroller-*.json`, which `ipcluster clean` deletes.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import AzureLauncherError
from .naming import ClusterNames
from .plan import ClusterPlan, MachinePlan

if TYPE_CHECKING:
    from filelock import FileLock

FORMAT = 1
LOCK_TIMEOUT_S = 30.0

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
class Controller:
    """The controller's machine. `host` is where SSH reaches it, `address` is inside the network.

    `operation` is the URL of Azure's report on the machine's creation; `args` and `variables` are
    the further command-line arguments and environment variables of ipcontroller.
    """

    state: str = CREATING
    vm_id: str = ""
    host: str = ""
    address: str = ""
    host_key: str = ""
    operation: str = ""
    args: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    pid: int = 0
    environment_url: str = ""
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
        data["controller"] = Controller(**data["controller"])
        data["engine_sets"] = {
            key: _engine_set(value) for key, value in data["engine_sets"].items()
        }
        data["tunnels"] = {key: Tunnel(**value) for key, value in data["tunnels"].items()}
        data["plan"] = _plan(data["plan"])
        return cls(**data)


def _engine_set(data: dict[str, Any]) -> EngineSet:
    return EngineSet(**{**data, "machines": [Machine(**item) for item in data["machines"]]})


def _plan(data: dict[str, Any]) -> ClusterPlan:
    names, machine = ClusterNames(**data["names"]), MachinePlan(**data["machine"])
    sources = tuple(data["ssh_sources"])
    return ClusterPlan(**{**data, "names": names, "machine": machine, "ssh_sources": sources})


class RecordFile:
    """The record of one cluster of one profile, and the files that live and die with it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, profile_dir: str, cluster_id: str) -> "RecordFile":
        return cls(Path(profile_dir) / "security" / f"azure-{cluster_id}.json")

    @property
    def key_file(self) -> Path:
        return self.path.with_suffix(".key")

    @property
    def public_key_file(self) -> Path:
        return self.path.with_suffix(".pub")

    @property
    def client_file(self) -> Path:
        """The client connection file as the controller wrote it, with the controller's ports."""
        return self.path.with_suffix(".client")

    @property
    def link_log(self) -> Path:
        return self.profile_dir / "log" / f"{self.path.stem}-link.log"

    @property
    def profile_dir(self) -> Path:
        return self.path.parent.parent

    def log_path(self, set_id: str, machine: str) -> Path:
        """Where the fetched log of one machine is kept; the controller has no set."""
        kind = f"ipengine-{set_id}" if set_id else "ipcontroller"
        return self.profile_dir / "log" / f"{self.path.stem}-{kind}-{machine}.log"

    def log_paths(self, set_id: str) -> list[Path]:
        """The fetched logs of an engine set, or of the controller."""
        pattern = self.log_path(set_id, "*")
        return sorted(pattern.parent.glob(pattern.name))

    @property
    def retired_dir(self) -> Path:
        """Where records go whose group Azure is still deleting."""
        return self.path.parent / "azure_deleting"

    def _edit_lock(self) -> "FileLock":
        """One for all clusters of the profile, held for milliseconds, and never removed: removing
        a lock's file lets two processes hold it."""
        from filelock import FileLock  # costs every ipcluster command 30 ms, few edit

        return FileLock(self.path.parent / ".azure.lock", timeout=LOCK_TIMEOUT_S)

    @property
    def _teardown_lock(self) -> Path:
        return self.path.with_suffix(".teardown")

    def teardown_lock(self) -> "FileLock":
        """Held while this cluster, or one of its engine sets, is being deleted."""
        from filelock import FileLock

        return FileLock(self._teardown_lock)

    def read(self) -> Record | None:
        """The record, or None if there is no such cluster (any more)."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return _parse(text, self.path)

    def require(self) -> Record:
        record = self.read()
        if record is None:
            raise AzureLauncherError(f"There is no cluster on record in {self.path}.")
        return record

    def create(self, record: Record) -> None:
        write_private(self.path, record.to_json())

    @contextmanager
    def edit(self) -> Iterator[Record]:
        """Read, let the caller change, write back: as one step for all processes."""
        with self._edit_lock():
            record = self.require()
            yield record
            write_private(self.path, record.to_json())

    def retire(self) -> None:
        """Put the record aside, so that its name is free while Azure still deletes."""
        record = self.require()
        self.retired_dir.mkdir(mode=0o700, exist_ok=True)
        retired = self.retired_dir / f"{record.plan.names.base}.json"
        os.replace(self.path, retired)
        self._erase_companions()

    def erase(self) -> None:
        """Remove the record and every file that is of no use without it."""
        self.path.unlink(missing_ok=True)
        self._erase_companions()

    def _erase_companions(self) -> None:
        for companion in (self.key_file, self.public_key_file, self.client_file):
            companion.unlink(missing_ok=True)

    def remove_teardown_lock(self) -> None:
        """For the last one out: whoever takes the lock from now on finds no record."""
        with suppress(OSError):  # Windows keeps a lock's file while another waits for it
            self._teardown_lock.unlink(missing_ok=True)

    def retired(self) -> list[Path]:
        """Records of clusters whose deletion Azure has accepted but not finished."""
        return sorted(self.retired_dir.glob("*.json"))


def _parse(text: str, path: Path) -> Record:
    try:
        found = json.loads(text).get("format")
        if found != FORMAT:
            raise AzureLauncherError(
                f"{path} was written by another version of ipcluster-azure (format {found}, here "
                f"{FORMAT}). Stop the cluster with the version that started it."
            )
        return Record.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AzureLauncherError(f"{path} is damaged: {error!r}") from error


def read_retired(path: Path) -> Record:
    return _parse(path.read_text(encoding="utf-8"), path)


def write_private(path: Path, text: str) -> None:
    """Write atomically, readable by this user alone; a reader sees the old text or the new."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
