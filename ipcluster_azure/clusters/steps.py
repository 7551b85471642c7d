"""The steps of a start one by one: `ipcluster-azure create`, `deploy` and `delete`.

The launchers do the work, as for `ipcluster start`.
"""

from typing import Any

from ..errors import AzureLauncherError, ConfigurationError
from ..formatting import counted
from ..launchers import AzureVMControllerLauncher
from ..launchers.on_machines import undo
from ..progress import Progress
from ..record.contents import KEPT, READY, Record
from ..record.file import RecordFile
from ..start.created import is_being_started
from ..stop.teardown import delete_cluster


async def create(file: RecordFile, n: int, log: Any) -> str:
    """Make the machines and the network for n engines; returns what to tell the user.

    Raises AzureLauncherError; what was created is deleted then.
    """
    record = file.read()
    if record is not None and not record.deleting:
        raise ConfigurationError(
            f"{_there(file, record)} {file.command('ipcluster-azure delete')} deletes it first; "
            "--cluster-id=ID names another beside it."
        )
    cluster = _cluster(file, log)
    cluster.only_machines = True
    try:
        await cluster.start_cluster(n)
    except BaseException:
        if cluster.controller is not None and cluster.controller.has_begun:  # not yet the engines
            await delete_cluster(file, Progress(log))
        raise
    cluster.controller, cluster.engines = None, {}
    cluster.update_cluster_file()
    return f"{file.command('ipcluster-azure deploy')} starts controller and engines on them."


async def deploy(file: RecordFile, log: Any, *, force: bool) -> str:
    """Start the controller and the engines on machines that are there, anew where they run already;
    returns what to tell the user. `force`: also while engines compute.

    Raises AzureLauncherError. Nothing has changed then, or nothing runs on the machines any more.
    """
    record = file.read()
    if record is None:
        create = file.command("ipcluster-azure create -n 4")
        raise ConfigurationError(f"There are no machines to deploy to. {create} makes them.")
    if record.deleting:
        again = file.command("ipcluster-azure delete")
        raise AzureLauncherError(f"The cluster is being deleted; {again} tells how far it is.")
    if not (record.stays or _has_started(record)):
        delete = file.command("ipcluster-azure delete")
        raise AzureLauncherError(f"{_there(file, record)} {delete} deletes it.")
    cluster = _cluster(file, log)
    cluster.replaces, cluster.force = True, force
    try:
        await cluster.start_cluster(record.engines)
    except BaseException:
        if cluster.controller is not None and cluster.controller.claimed:  # not yet the engines
            await undo(cluster.controller)
        raise
    argument = f", cluster_id={file.cluster_id!r}" if file.cluster_id else ""
    return f"Clients connect with ipyparallel.Client(profile={file.profile!r}{argument})."


async def delete(file: RecordFile, log: Any) -> str:
    """Delete a cluster whatever its state; returns what to tell the user."""
    if not file.path.exists():
        return f"There is nothing to delete in profile {file.profile}."
    await delete_cluster(file, Progress(log))
    return "Deleted."


def _there(file: RecordFile, record: Record) -> str:
    """Say what is there already, and in which state."""
    deploy = file.command("ipcluster-azure deploy")
    if record.is_created:
        engines = counted(record.engines, "engine")
        return f"A cluster with machines for {engines} is there; {deploy} starts it."
    if is_being_started(record):
        return f"A cluster is there, which process {record.starter_pid} is just starting."
    if record.stays or _has_started(record):
        engines = counted(record.engines, "engine")
        return f"A cluster of {engines} is there; {deploy} starts it anew."
    return "A cluster is there that is still being made, or whose maker has died."


def _has_started(record: Record) -> bool:
    """Return whether the start that has made the machines is through: it would undo itself else."""
    states = {engine_set.state for engine_set in record.engine_sets.values()}
    return record.controller.state == READY and bool(states & {READY, KEPT})


def _cluster(file: RecordFile, log: Any) -> Any:
    """Return ipyparallel's Cluster with the profile's configuration, as `ipcluster` has it."""
    from ..launchers.machines_cluster import MachinesCluster

    cluster = MachinesCluster(
        profile_dir=str(file.profile_dir),
        cluster_id=file.cluster_id,
        shutdown_atexit=False,
        log=log,
        parent=None,
    )
    if not issubclass(cluster.controller_launcher_class, AzureVMControllerLauncher):
        raise ConfigurationError(
            f"Profile {file.profile} starts no clusters on Azure: set "
            "c.Cluster.controller_launcher_class and c.Cluster.engine_launcher_class to 'azurevm'."
        )
    return cluster
