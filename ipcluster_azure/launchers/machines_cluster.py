"""ipyparallel's Cluster, for machines that outlive what runs on them.

`ipcluster-azure create` and `deploy` use it, and the cluster file of such machines names it: so it
is what ipyparallel makes of the file. While nothing runs on the machines it has no controller and
no engines, so that nobody takes it for a cluster that runs; a start of it begins with the machines,
and a stop deletes them.
"""

import logging
from typing import Any

from ipyparallel import Cluster

from ..record.file import RecordFile
from . import AzureVMControllerLauncher
from .caller import starting_app
from .cluster_file import write_in_one_piece

NOTHING_RUNS = "its machines are there, and nothing runs on them"


class MachinesAreThere(Exception):
    """What `ipcluster start` is told of such a file, as it then goes on."""


class MachinesCluster(Cluster):  # type: ignore[misc]
    """A cluster whose machines are there. What the two launchers are to do is told by

    `only_machines`: to make machines, and to start nothing on them;
    `replaces`: to end what runs on the machines first; `force`: even while engines compute.
    """

    controller: Any  # ipyparallel's trait
    only_machines = replaces = force = False

    @property
    def file(self) -> RecordFile:
        return RecordFile.of(self.profile_dir, self.cluster_id)

    @classmethod
    def from_dict(cls, d: dict[str, Any], **kwargs: Any) -> "MachinesCluster":
        """Restore what a cluster file says; launchers only where something runs.

        Raises MachinesAreThere where `ipcluster start` asks whether a cluster runs; it takes that
        for an error, and goes on as it should.
        """
        info = d["cluster"]
        if not RecordFile.of(info["profile_dir"], info["cluster_id"]).is_created():
            running: MachinesCluster = super().from_dict(d, **kwargs)
            return running
        if (app := starting_app()) is not None:
            app.log.addFilter(_is_no_error)
            raise MachinesAreThere(NOTHING_RUNS)
        parts = {"cluster": info, "engines": {"class": d["engines"]["class"], "sets": {}}}
        # with the profile's configuration, which a restored Cluster else does without: a start of
        # it is one by these settings
        kwargs |= {"profile_dir": info["profile_dir"], "cluster_id": info["cluster_id"]}
        restored: MachinesCluster = super().from_dict(parts, **kwargs)
        restored.controller_launcher_class = AzureVMControllerLauncher
        write_in_one_piece(restored)
        return restored

    def _is_running(self) -> bool:
        """Whether the file is kept, and `ipcluster clean` refuses to remove it."""
        return bool(super()._is_running()) or self.file.is_created()

    async def stop_cluster(self) -> None:
        """Stop what runs, and delete the machines."""
        if self.controller is not None or not self.file.path.exists():
            await super().stop_cluster()
            return
        self.controller = AzureVMControllerLauncher(
            work_dir=".",
            parent=self,
            log=self.log,
            profile_dir=self.profile_dir,
            cluster_id=self.cluster_id,
        )
        self.controller.state = "running"
        try:
            await super().stop_cluster()
        finally:
            self.controller = None


def _is_no_error(entry: logging.LogRecord) -> bool:
    return NOTHING_RUNS not in str(entry.msg)
