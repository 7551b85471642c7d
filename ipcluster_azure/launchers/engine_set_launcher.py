"""ipyparallel's launcher of engine sets, translated into calls on a deployment."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipyparallel.cluster.launcher import EngineLauncher
from traitlets import List, Unicode

from ..errors import ConfigurationError, RecordOfOtherVersion
from ..naming import this_process
from ..process import importing
from ..progress import Progress
from ..record.contents import CREATING, DELETING, KEPT, READY, EngineSet, Record
from ..record.file import RecordFile
from ..settings.traits import AzureVMLauncher
from ..settings.values import Settings
from ..start.request import EngineSetSpec, JobFile, ProcessSpec, StartContext
from . import on_machines
from .attempts import start_or_undo, stop_or_say
from .base import AzureVMBase, restore
from .caller import Caller, caller, ipcluster_app, is_waited_for
from .cluster_file import add_engine_set, remove_engine_set
from .ending import expect_no_early_end
from .joined_cluster import cluster_to_join
from .start_view import start_shown
from .stop_events import watch

if TYPE_CHECKING:
    from ..plan.cluster_plan import EngineSetPlan
    from ..start.profile_trial import Trial


class AzureVMEngineSetLauncher(AzureVMBase, AzureVMLauncher, EngineLauncher):  # type: ignore[misc]
    """Starts engines on a scale set of Azure virtual machines."""

    job_file_name = Unicode(
        "azure_engineset-{cluster_id}.json",
        config=True,
        help="File in the profile for the ARM template of the engines' scale set.",
    )
    engine_cmd = List(
        Unicode(),
        ["ipengine"],
        config=True,
        help="What is run on the engines' machines. It ends in `ipengine`; the words before are a "
        "command that runs what a machine's engines are all forked from, such as `nice -n 5`.",
    )
    engine_set_id: str  # ipyparallel's trait
    _cluster_file = ""

    async def start(self, n: int) -> None:
        """Start n engines; returns when they are registered with the controller."""
        with start_shown(self, first=caller() is not Caller.START_CLUSTER, last=True):
            await start_or_undo(self, self._start(n))
        if (app := ipcluster_app(self)) is not None:
            expect_no_early_end(app)

    async def _start(self, n: int) -> None:
        from ..plan.cluster_plan import check_engine_count

        settings, file = self._settings_of_start(), self.record_file
        if on_machines.is_claimed(self):
            await on_machines.start_engines(self, n)
            return
        check_engine_count(settings, n)
        self.n = n
        record = await self._join_cluster(file)

        from ..start.controller_request import rest_of_request

        context, job = self._context(), self._job(n)
        files = await self._files_to_run(file, record)
        process = replace(self.process(), files=files)
        spec = EngineSetSpec(self.engine_set_id, settings, process)
        kept = record.engine_sets.get(self.engine_set_id)
        self._check_not_running(kept)
        others = await self._find_machines(context, spec, kept, job)
        requesting = rest_of_request(record.plan.names.base)
        if self.only_machines:
            from ..start.machines_alone import make_machines

            await make_machines(context, spec, requesting, others=others, job=job)
            return

        with importing():  # with asyncssh, while Azure is at work
            from ..start.bring_up import bring_up

        await bring_up(context, spec, requesting, others=others, job=job)

    async def _find_machines(
        self, context: StartContext, spec: EngineSetSpec, kept: EngineSet | None, job: JobFile
    ) -> "Sequence[EngineSetPlan]":
        """Ask Azure for machines, unless those of `kept`, an earlier start's, are there and fit.

        Returns the plans that are tried in turn if Azure has no room.
        """
        from ..start import deployment, planning
        from ..stop import engine_set

        file = context.file
        if kept is not None and kept.state == KEPT and kept.n == self.n:
            self.notify_start({"record": str(file.path)})
            watch(self)
            return ()
        if kept is not None:
            await engine_set.delete_engine_set(file, spec.set_id, context.progress)
        plans = await planning.plan_engines(file, spec.settings, spec.set_id, self.n)
        return await deployment.request_engines(context, plans, job)

    def _check_not_running(self, engine_set: EngineSet | None) -> None:
        if engine_set is not None and engine_set.state in (CREATING, READY):
            raise ConfigurationError(
                f"The cluster has an engine set {self.engine_set_id!r} already. Choose another "
                "engine_set_id, or end those engines first with Cluster.stop_engines()."
            )

    def _settings_of_start(self) -> Settings:
        """Return the settings; where ipyparallel waits for all engines, the start does, too."""
        settings = self.settings()
        return replace(settings, ready_engines=0) if is_waited_for() else settings

    def process(self) -> ProcessSpec:
        """Return what these engines are started with, but for the files that they run."""
        return replace(self._process(self.engine_args), cmd=self.engine_cmd)

    def trial(self) -> "Trial":
        """Return how the configuration of these engines is to be tried before there are any."""
        from ..start.profile_trial import engine_trial

        return engine_trial(self.record_file.profile_dir, self.process())

    async def _files_to_run(self, file: RecordFile, record: Record) -> list[tuple[str, str]]:
        """Return what these engines run at their start (ProcessSpec.files).

        Their configuration is tried for that, unless it is the one that was tried last.
        """
        trial = self.trial()
        if trial.key != record.preparation.key:
            from ..start.profile_trial import prepare

            found = await prepare(self.log, self.cluster_id, controller=None, engines=trial)
            with file.edit() as record:
                record.preparation = found
        return record.preparation.files

    async def _join_cluster(self, file: RecordFile) -> Record:
        """Return the record of the cluster that these engines join, whoever started it."""
        controller = getattr(self.parent, "controller", None)
        record = await cluster_to_join(file, controller)
        if self.parent is not None and controller is None:
            # Cluster would save itself without the controller that another process started
            self._cluster_file, self.parent.cluster_file = self.parent.cluster_file, ""
            # ipyparallel's id is the second of the start; the other process may have that too
            self.engine_set_id = f"{self.engine_set_id}-{this_process()}"
        return record

    def _save(self) -> None:
        if self._cluster_file:
            add_engine_set(Path(self._cluster_file), self.engine_set_id, self.to_dict())
        else:
            super()._save()

    def _was_dropped(self) -> bool:
        return bool(self.state == "after")

    async def undo(self) -> None:
        """Delete these engines; the whole cluster if its first start is what failed."""
        file, progress = self.record_file, Progress(self.log)
        record = file.read()
        if record is None:
            return
        if on_machines.is_claimed(self):
            await on_machines.undo(self.parent.controller)
            return

        from ..stop.engine_set import delete_engine_set
        from ..stop.teardown import delete_cluster

        if self._was_dropped():  # stop() was here first; this may have come after it
            await delete_engine_set(file, self.engine_set_id, progress)
            return
        controller = getattr(self.parent, "controller", None)  # a stop may take it away meanwhile
        first = all(item.state not in (READY, KEPT) for item in record.engine_sets.values())
        first = first or self.only_machines
        if controller is not None and first and (self._began or ipcluster_app(self) is not None):
            self.log.error("The start failed; undoing what was created")
            controller.ends_here = True
            await delete_cluster(file, progress)
            controller.stopped()
        elif self._began:
            self.log.error("The start failed; deleting these engines' machines")
            await delete_engine_set(file, self.engine_set_id, progress)
        self._leave_cluster_file()
        self.stopped()

    async def stop(self) -> None:
        """Delete the machines of this set; within restart_engines end only its processes.

        Machines are kept, too, when what called is not known: it may be a restart, which would have
        to wait for new ones. They are deleted with the cluster at its stop, or by its own guard
        when idle_timeout_min or max_lifetime_h is over.
        """
        await stop_or_say(self, self._stop())
        self._leave_cluster_file()

    def _leave_cluster_file(self) -> None:
        if self._cluster_file:
            remove_engine_set(Path(self._cluster_file), self.engine_set_id)

    async def _stop(self) -> None:
        from ..stop import engine_set, teardown

        file, progress = self.record_file, Progress(self.log)
        try:
            record = file.read()
        except RecordOfOtherVersion:
            self.log.warning("These engines can only be deleted with their cluster")
            return
        if record is not None and record.is_created:  # its engines have ended, the machines stay
            return
        if record is not None and record.state == DELETING:
            await teardown.delete_cluster(file, progress)
            return
        who = caller()
        if who is Caller.UNKNOWN:
            self.log.warning(
                "This version of ipyparallel is newer than ipcluster-azure knows: the machines of "
                "engine set %s are kept until `ipcluster stop`, should it restart them",
                self.engine_set_id,
            )
        if who in (Caller.RESTART_ENGINES, Caller.UNKNOWN):
            await engine_set.stop_engine_processes(file, self.engine_set_id, progress)
        else:
            await engine_set.delete_engine_set(file, self.engine_set_id, progress)

    async def signal(self, sig: int) -> None:
        """Send a signal to every engine of the set."""
        from ..ssh.signals import signal_engine_set

        await signal_engine_set(self.record_file, self.engine_set_id, int(sig))

    def get_output(self, remove: bool = False) -> str:
        """Return the engines' logs as they were when the set was stopped; the files stay."""
        return self._read_logs(self.engine_set_id)

    def is_on_record(self, record: Record | None) -> bool:
        return (
            record is not None
            and not record.is_created
            and self.engine_set_id in record.engine_sets
        )

    @classmethod
    def from_dict(cls, d: dict[str, Any], **kwargs: Any) -> "AzureVMEngineSetLauncher":
        """Restore from the record, without asking Azure; NotRunning only if it isn't there."""
        self: AzureVMEngineSetLauncher = super().from_dict(d, **kwargs)
        restore(self)
        return self
