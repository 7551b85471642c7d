"""ipyparallel's cluster file, by which `ipcluster stop` finds a cluster: written so that it can.

ipyparallel empties it before it writes it anew. A process that is killed in between would leave a
file that `ipcluster stop` can't read.

For engines that join a cluster which another process started, ipyparallel would overwrite it
without the controller, and `ipcluster stop` would leave the controller running.
"""

import json
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import AzureLauncherError
from ..private_files import write_private
from ..record.file import RecordFile

OF_MACHINES = "ipcluster_azure.launchers.machines_cluster.MachinesCluster"


def write_in_one_piece(cluster: Any) -> None:
    """Let this Cluster replace its file from now on, so that readers see the old one or the new."""
    # a cycle would keep a dropped Cluster from being collected; one that is stops itself, when the
    # reference leads nowhere any more
    reference = weakref.ref(cluster)
    file, path = RecordFile.of(cluster.profile_dir, cluster.cluster_id), Path(cluster.cluster_file)
    remove = type(cluster).remove_cluster_file

    def remove_cluster_file() -> None:
        cluster: Any = reference()
        if _stays(file):
            return
        if cluster is None:
            path.unlink(missing_ok=True)
        else:
            remove(cluster)

    def write_cluster_file() -> None:
        cluster: Any = reference()
        if cluster is not None:
            _write(cluster, file, path)

    cluster.write_cluster_file, cluster.remove_cluster_file = (
        write_cluster_file,
        remove_cluster_file,
    )


def _write(cluster: Any, file: RecordFile, path: Path) -> None:
    """Replace the cluster's file; removes it if the cluster has come to its end."""
    stays = _stays(file)
    if stays and cluster.controller is not None and cluster.controller.state == "after":
        return  # another process goes on with the machines, and with the file
    if "after" in _states(cluster) and not file.path.exists():
        # the others learn in a moment that it is gone: a kill now would leave half a file
        cluster.remove_cluster_file()
        return
    # stopped elsewhere just now, with what was half written; or the profile was erased
    with suppress(FileNotFoundError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, json.dumps(_for_file(cluster, stays)))
    if not stays and _states(cluster) <= {"after"}:
        # the last one stopped in another thread meanwhile, and what it removed is back
        cluster.remove_cluster_file()


def _stays(file: RecordFile) -> bool:
    """Return whether the machines of a cluster outlive what was started on them."""
    try:
        record = file.read()
    except AzureLauncherError:
        return False
    return record is not None and record.stays and not record.deleting


def _for_file(cluster: Any, stays: bool) -> dict[str, Any]:
    """Return what the file says: the class that restores it knows clusters on whose machines
    nothing runs."""
    state: dict[str, Any] = cluster.to_dict()
    if stays:
        state["cluster"]["class"] = OF_MACHINES
    return state


def _states(cluster: Any) -> set[str]:
    launchers = (cluster.controller, *cluster.engines.values())
    return {launcher.state for launcher in launchers if launcher is not None}


def add_engine_set(path: Path, set_id: str, state: dict[str, Any]) -> None:
    """Add an engine set to the file of a cluster that another process started."""
    cluster = _read(path)
    if cluster is not None:
        cluster["engines"]["sets"][set_id] = state
        write_private(path, json.dumps(cluster))


def remove_engine_set(path: Path, set_id: str) -> None:
    """Remove what add_engine_set has added."""
    cluster = _read(path)
    if cluster is not None and cluster["engines"]["sets"].pop(set_id, None) is not None:
        write_private(path, json.dumps(cluster))


def _read(path: Path) -> dict[str, Any] | None:
    """Return what a cluster file says, or None if the cluster was stopped meanwhile."""
    try:
        cluster: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return cluster
