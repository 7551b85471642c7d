"""Attaches to a cluster that was deployed by its job files, so that ipcluster knows it, too."""

import asyncio
from pathlib import Path

from ipyparallel.cluster.cluster import Cluster

from ..launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ..launchers.cluster_file import write_in_one_piece
from ..progress import Progress
from ..record.contents import Record
from ..record.file import RecordFile
from ..start.deployed import attach_deployed
from .profiles import profile_config


def attach_group(
    profile_dir: Path, cluster_id: str, group: str, parameters: Path, progress: Progress
) -> str:
    """Attach to the cluster in a resource group; returns what to tell the user.

    `parameters` is the file that its job files were deployed with. Raises AzureLauncherError.
    """
    config = profile_config(profile_dir)
    settings = AzureVMControllerLauncher(config=config).settings()
    file = RecordFile.of(str(profile_dir), cluster_id)
    record = asyncio.run(attach_deployed(file, settings, group, parameters, progress))
    _write_cluster_file(file, record)
    argument = f", cluster_id={cluster_id!r}" if cluster_id else ""
    return (
        f"Cluster {record.plan.names.base} in resource group {group} can be reached: "
        f"ipyparallel.Client(profile={file.profile!r}{argument})\n"
        f"`ipcluster stop --profile={file.profile}` deletes it."
    )


def _write_cluster_file(file: RecordFile, record: Record) -> None:
    """Write ipyparallel's own file, by which `ipcluster stop` finds the cluster."""
    given = {"profile_dir": str(file.profile_dir), "cluster_id": file.cluster_id}
    cluster = Cluster(
        controller_launcher_class=AzureVMControllerLauncher,
        engine_launcher_class=AzureVMEngineSetLauncher,
        shutdown_atexit=False,
        **given,
    )
    write_in_one_piece(cluster)
    cluster.controller = AzureVMControllerLauncher(parent=cluster, **given)
    cluster.controller.state = "running"
    for set_id, engine_set in record.engine_sets.items():
        launcher = AzureVMEngineSetLauncher(parent=cluster, engine_set_id=set_id, **given)
        launcher.n, launcher.state = engine_set.n, "running"
        cluster.engines[set_id] = launcher
    cluster.write_cluster_file()
