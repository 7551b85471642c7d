"""What both launchers do alike: job files, restoring, stop events; how they fail: attempts.py."""

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ipyparallel.cluster.launcher import NotRunning

from ..errors import AzureLauncherError, ClusterStopped
from ..record.abort import STOPPED
from ..record.contents import Record
from ..record.file import RecordFile
from ..start.request import JobFile, ProcessSpec, StartContext
from .caller import ipcluster_app
from .cluster_file import write_in_one_piece
from .cluster_html import show_as_html
from .ending import leave_out_repetitions
from .own_loop import in_own_loop
from .start_view import progress_of
from .stop_events import watch

JOIN_INTERVAL_S = 0.1


class AzureVMBase:
    """What both launchers do alike.

    It has no traits, and is no launcher itself: a common base class that is one would be a section
    more in every configuration file that IPython generates. What it needs of ipyparallel's launcher
    and of our settings is declared here.
    """

    cluster_id: str
    config: Any
    environment: dict[str, str]
    identifier: str
    job_file_name: str
    log: Any
    notify_start: Callable[[Any], Any]
    notify_stop: Callable[[Any], Any]
    parent: Any
    profile_dir: str
    state: str

    entrypoint_name = "azurevm"  # the shorter of two; cluster files and `ipcluster list` show it
    speaks_for_cluster = False  # one launcher of each cluster does, so that all is said once
    is_starting = False  # or its start has failed, and said why
    claimed = took_over = False  # on_machines.py says of what
    ends_here = False  # this process stops it, or undoes its start

    _template: dict[str, Any] | None = None
    _began = False

    @property
    def only_machines(self) -> bool:
        """Whether nothing is to be started on the machines that this start makes."""
        return bool(getattr(self.parent, "only_machines", False))

    @property
    def has_begun(self) -> bool:
        """Whether there may be something at Azure that this launcher has asked for."""
        return self._began

    @property
    def record_file(self) -> RecordFile:
        return RecordFile.of(self.profile_dir, self.cluster_id)

    @property
    def job_file(self) -> str:
        """The ARM template that start() writes and submits."""
        name = self.job_file_name.replace("{cluster_id}", self.cluster_id)
        return str(Path(self.profile_dir) / name)

    def find_args(self) -> list[str]:
        """Return what names the launcher in log lines; the real command runs on the machines."""
        return [type(self).__name__]

    def poll(self) -> int | None:
        """Return None while running, else an exit status, as subprocess.Popen.poll() does."""
        return 0 if self.state == "after" else None

    async def join(self, timeout: float | None = None) -> None:
        """Wait until stopped. Raises TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.state != "after":
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{type(self).__name__} did not stop in {timeout} s")
            await asyncio.sleep(JOIN_INTERVAL_S)

    def _submit(self, n: int, template: dict[str, Any]) -> None:
        """Write the job file; from here on there may be something to stop."""
        self._began = True
        if self._was_dropped():
            raise ClusterStopped(STOPPED)
        self._template = template
        self.write_job_file(n)
        self._template = None  # at its end the start completes the file
        if self.state != "running":  # else it is another try, in another size or zone
            self.notify_start({"record": str(self.record_file.path)})
            self._save()
            watch(self)
        self.log.info("Submitting %s", self.job_file)

    def _save(self) -> None:
        """Let `ipcluster stop` find the cluster: ipyparallel itself saves it only after start()."""
        if self.parent is not None:
            self.parent.update_cluster_file()

    def write_job_file(self, n: int) -> None:
        """Write job_file for `n` engines, or for the controller, as a start submits it.

        Called by anybody but a start it writes, without asking Azure, the job files of both for a
        new cluster of `n` engines, with their secrets: they start it by themselves.
        """
        if self._template is None:
            in_own_loop(self._write_both(n))
            return
        self.log.info("Writing job description file: %s", self.job_file)
        text = json.dumps(self._template, indent=2)
        Path(self.job_file).write_text(text, encoding="utf-8")

    async def _write_both(self, n: int) -> None:
        from ipyparallel.cluster.launcher import find_launcher_class

        from .job_files import write_job_files

        given = {"parent": self.parent, "config": self.config, "profile_dir": self.profile_dir}
        given["cluster_id"] = self.cluster_id
        kinds = [find_launcher_class("azurevm", side) for side in ("controller", "engine")]
        controller, engines = (self if isinstance(self, kind) else kind(**given) for kind in kinds)
        folder = Path(self.profile_dir)
        for path in await write_job_files(controller, engines, n, folder, self.log):
            self.log.info("Wrote job description file: %s", path)

    def _context(self) -> StartContext:
        return StartContext(self.record_file, progress_of(self), self.only_machines)

    def _job(self, n: int) -> JobFile:
        return JobFile(Path(self.job_file), partial(self._submit, n))

    def _process(self, args: list[str]) -> ProcessSpec:
        return ProcessSpec(list(args), dict(self.environment))

    async def undo(self) -> None:
        """Delete what a failed start has created."""
        raise NotImplementedError

    def is_on_record(self, record: Record | None) -> bool:
        """Return whether what this launcher has started may still run."""
        return record is not None and not record.is_created

    def _was_dropped(self) -> bool:
        """Return whether stop_cluster came so early that the Cluster forgot this launcher."""
        raise NotImplementedError

    def being_deleted(self) -> bool:
        """Return whether the cluster that this launcher began to start is, or will be, deleted."""
        if self.state == "before":
            return False
        try:
            record = self.record_file.read()
        except AzureLauncherError:  # unreadable is not the same as gone
            return False
        return record is None or record.deleting

    def stopped(self) -> None:
        """Tell ipyparallel that what this launcher started is no more."""
        self.notify_stop({"exit_code": 0, "identifier": self.identifier})

    def _read_logs(self, set_id: str) -> str:
        paths = self.record_file.log_paths(set_id)
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)


def restore(launcher: Any) -> None:
    """Make a launcher that was read from a cluster file a running one, if it is on record.

    Raises NotRunning if it isn't.
    """
    if launcher.parent is not None:
        write_in_one_piece(launcher.parent)
    if (app := ipcluster_app(launcher)) is not None:
        leave_out_repetitions(app)
    try:
        on_record = launcher.is_on_record(launcher.record_file.read())
    except AzureLauncherError as error:  # unreadable is not the same as gone
        if launcher.speaks_for_cluster:
            launcher.log.warning("%s", error)
        on_record = True
    if not on_record:
        raise NotRunning(f"{launcher.record_file.path} has no record of it")
    launcher.state = "running"
    watch(launcher)
    show_as_html()
