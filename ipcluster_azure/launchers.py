"""ipyparallel's launcher contract, translated into calls on a deployment.

A launcher keeps nothing but JSON: its calls run on different event loops (`start_cluster_sync`
makes one for each) and in different processes (`ipcluster stop`). All else is in the record; but
within one `start_cluster` the engines' launcher awaits what the controller's still requests.
Importing this module must stay cheap, since every `ipcluster` command does: azure.* and asyncssh
are imported where they are needed.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipyparallel.cluster.launcher import ControllerLauncher, EngineLauncher
from traitlets import Unicode

from .cluster_file import add_engine_set, remove_engine_set
from .config import AzureVMLauncher
from .errors import ClusterStopped, ConfigurationError, RecordOfOtherVersion
from .host import engines_come_next, first_of, ipcluster_app, restarting, wait_until_started
from .launcher_base import AzureVMBase, restore
from .progress import Progress
from .record import DELETING, KEPT, READY, Record
from .record_file import RecordFile
from .settings import Settings, wide_sources
from .watch import watch

if TYPE_CHECKING:
    from .plan import EngineSetPlan


class AzureVMControllerLauncher(AzureVMBase, AzureVMLauncher, ControllerLauncher):  # type: ignore[misc]
    """Starts ipcontroller on an Azure virtual machine, and the network for the engines."""

    job_file_name = Unicode(
        "azure_controller-{cluster_id}.json",
        config=True,
        help="File in the profile for the ARM template of the controller and its network.",
    )

    # only while Cluster.start_cluster runs, which has one event loop from here to the engines
    requesting: "asyncio.Future[None] | None" = None

    async def start(self) -> None:
        """Ask Azure for the controller; returns when it has accepted, not when it has booted.

        If engines come next, it returns as soon as they can be requested; their launcher waits
        for the rest.
        """
        await self._start_or_undo(self._start(), self._undo)

    async def _start(self) -> None:
        settings, engine_settings = self.settings(), self._engine_settings()
        for source in wide_sources(settings.ssh_source):
            self.log.warning("ssh_source %s: much of the internet may try the SSH port", source)
        file = self.record_file
        await self._clear_the_way(file)

        from . import deployment, teardown  # a second of imports: refusals come before it

        order = self._order(self.controller_args)
        n = getattr(self.parent, "n", None)
        site = await deployment.find_site(order, settings, engine_settings, n)
        await teardown.sweep(file)
        if self.parent is not None:
            # else start_engines waits for the controller to boot before it calls our other half
            self.parent.send_engines_connection_env = False
        file.forget_logs()
        if self._was_dropped():
            raise ClusterStopped("The cluster was stopped before anything was created.")
        submit = partial(self._submit, 1)
        network = asyncio.Event()
        requesting = asyncio.ensure_future(
            deployment.request_controller(order, site, submit, network.set)
        )
        requesting.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            if engines_come_next():
                await first_of(requesting, network.wait())
                self.requesting = requesting
            else:
                await requesting
        except BaseException:
            requesting.cancel()
            raise

    def _was_dropped(self) -> bool:
        return self.parent is not None and self.parent.controller is not self

    async def _undo(self) -> None:
        """Delete what this start created; a cluster that was there before is none of that."""
        if self._began:
            self.log.error("The start failed; undoing what was created")
            await self._delete_cluster()
            self.stopped()

    def _engine_settings(self) -> Settings | None:
        """What the engines' launcher will ask for, so that its mistakes are found now.

        Raises ConfigurationError for an engine launcher that can't work with this controller.
        """
        cluster = self.parent
        if cluster is None or not hasattr(cluster, "engine_launcher_class"):
            return None
        launcher_class = cluster.engine_launcher_class
        if not issubclass(launcher_class, AzureVMEngineSetLauncher):
            raise ConfigurationError(
                f"A controller on Azure needs engines on Azure, not {launcher_class.__name__}: set "
                "c.Cluster.engine_launcher_class = 'azurevm'."
            )
        engines = launcher_class(
            parent=cluster, profile_dir=self.profile_dir, cluster_id=self.cluster_id
        )
        settings: Settings = engines.settings()
        if cluster.n is not None:
            from .plan import check_engine_count

            check_engine_count(settings, cluster.n)
        return settings

    async def _clear_the_way(self, file: RecordFile) -> None:
        """Refuse a second cluster of the same id; delete one that nobody else can find."""
        record = file.read()
        if record is None:
            return
        saved = Path(self.parent.cluster_file) if self.parent is not None else None
        if saved is not None and saved.exists() and not record.deleting:
            raise ConfigurationError(
                f"A cluster with this id is running already ({saved}). Stop it with `ipcluster "
                "stop`, or choose another cluster_id."
            )
        self.log.warning("Deleting what an earlier start left behind")
        await self._delete_cluster()

    async def _delete_cluster(self) -> None:
        from .teardown import delete_cluster

        await delete_cluster(self.record_file, Progress(self.log))

    async def _make_template(self, n: int) -> dict[str, Any]:
        from . import deployment, planning
        from .template import controller_template

        order = self._order([])
        site = await deployment.find_site(order, self.settings(), None, None)
        return controller_template(planning.plan_controller(order, site))

    async def get_connection_info(self, timeout: float | None = None) -> dict[str, Any]:
        """{"client": {...}, "engine": {...}}, once the controller runs and can be reached.

        Raises AzureLauncherError, or TimeoutError after `timeout` seconds if that is given.
        """
        from . import controller

        order = self._order(self.controller_args)

        ready = controller.get_ready(order, self.settings())
        await asyncio.wait_for(ready, timeout if timeout is None or timeout >= 0 else None)
        return {kind: json.loads(path.read_text()) for kind, path in order.client_files.items()}

    async def stop(self) -> None:
        """Delete the cluster. Returns when Azure has accepted; harmless when repeated."""
        await self._stop_or_say(self._delete_cluster())

    async def signal(self, sig: int) -> None:
        """Send a signal to ipcontroller."""
        from .run import signal_controller

        await signal_controller(self.record_file, int(sig))

    def get_output(self, remove: bool = False) -> str:
        """The controller's log as it was when the cluster was stopped.

        The file stays in the profile whatever `remove` says: its machine is gone.
        """
        return self._read_logs("")

    @classmethod
    def from_dict(cls, d: dict[str, Any], **kwargs: Any) -> "AzureVMControllerLauncher":
        """Restore from the record, without asking Azure; NotRunning only if there is none."""
        self: AzureVMControllerLauncher = super().from_dict(d, **kwargs)
        restore(self)
        return self


class AzureVMEngineSetLauncher(AzureVMBase, AzureVMLauncher, EngineLauncher):  # type: ignore[misc]
    """Starts engines on a scale set of Azure virtual machines."""

    job_file_name = Unicode(
        "azure_engineset-{cluster_id}.json",
        config=True,
        help="File in the profile for the ARM template of the engines' scale set.",
    )
    _cluster_file = ""

    async def start(self, n: int) -> None:
        """Start n engines; returns when they are registered with the controller."""
        self.n = n
        await self._start_or_undo(self._start(n), self._undo)

    async def _start(self, n: int) -> None:
        from .plan import check_engine_count

        settings, file = self.settings(), self.record_file
        check_engine_count(settings, n)
        record = await self._join_cluster(file)

        from . import deployment, planning, teardown  # a second of imports: refusals come before it

        order = self._order(self.engine_args)
        kept = record.engine_sets.get(self.engine_set_id)
        if kept is not None and (kept.state != KEPT or kept.n != n):
            await teardown.delete_engine_set(file, self.engine_set_id, order.progress)
            kept = None
        submit = partial(self._submit, n)
        others: Sequence[EngineSetPlan] = ()
        if kept is None:
            plans = await planning.plan_engines(order, settings, self.engine_set_id, n)
            others = await deployment.request_engines(order, plans, submit)
        else:
            self.notify_start({"record": str(file.path)})
            watch(self)
        await deployment.bring_up(
            order, settings, self.engine_set_id, self._requesting(), others=others, submit=submit
        )

    def _requesting(self) -> "asyncio.Future[None]":
        """What our Cluster's controller launcher still asks of Azure, or failed to get."""
        task = getattr(getattr(self.parent, "controller", None), "requesting", None)
        if task is not None and (not task.done() or task.cancelled() or task.exception()):
            requesting: asyncio.Future[None] = task
        else:
            requesting = asyncio.get_running_loop().create_future()
            requesting.set_result(None)
        return requesting

    async def _join_cluster(self, file: RecordFile) -> Record:
        """The cluster that these engines belong to, started by this process or by another."""
        controller = getattr(self.parent, "controller", None)
        if controller is not None and not isinstance(controller, AzureVMControllerLauncher):
            await wait_until_started(controller)
            raise ConfigurationError(
                f"Engines on Azure need a controller on Azure, not {type(controller).__name__}: "
                "set c.Cluster.controller_launcher_class = 'azurevm'."
            )
        record = file.read()
        if record is None:
            raise ConfigurationError(
                "There is no cluster on Azure in this profile to add engines to. Start one with "
                "`ipcluster start`."
            )
        if self.parent is not None and controller is None:
            # Cluster would save itself without the controller that another process started
            self._cluster_file, self.parent.cluster_file = self.parent.cluster_file, ""
        return record

    def _save(self) -> None:
        if self._cluster_file:
            add_engine_set(Path(self._cluster_file), self.engine_set_id, self.to_dict())
        else:
            super()._save()

    def _was_dropped(self) -> bool:
        return bool(self.state == "after")

    async def _undo(self) -> None:
        """Delete these engines; the whole cluster if its first start is what failed."""
        file, progress = self.record_file, Progress(self.log)
        record = file.read()
        if record is None:
            return

        from .teardown import delete_cluster, delete_engine_set

        if self._was_dropped():  # stop() was here first; this may have come after it
            await delete_engine_set(file, self.engine_set_id, progress)
            return
        ours = getattr(self.parent, "controller", None) is not None
        first = all(item.state not in (READY, KEPT) for item in record.engine_sets.values())
        if ours and first and (self._began or ipcluster_app(self) is not None):
            self.log.error("The start failed; undoing what was created")
            await delete_cluster(file, progress)
            self.parent.controller.stopped()
        elif self._began:
            self.log.error("The start failed; deleting these engines' machines")
            await delete_engine_set(file, self.engine_set_id, progress)
        self.stopped()

    async def _make_template(self, n: int) -> dict[str, Any]:
        from . import planning
        from .template import engine_set_template

        set_id = self.engine_set_id
        plans = await planning.plan_engines(self._order([]), self.settings(), set_id, n)
        return engine_set_template(self.record_file.require().plan, plans[0])

    async def stop(self) -> None:
        """Delete the machines of this set; within restart_engines end only its processes."""
        await self._stop_or_say(self._stop())
        if self._cluster_file:
            remove_engine_set(Path(self._cluster_file), self.engine_set_id)

    async def _stop(self) -> None:
        from . import teardown

        file, progress = self.record_file, Progress(self.log)
        try:
            record = file.read()
        except RecordOfOtherVersion:
            self.log.warning("These engines can only be deleted with their cluster")
            return
        if record is not None and record.state == DELETING:
            await teardown.delete_cluster(file, progress)
        elif restarting():
            await teardown.stop_engine_processes(file, self.engine_set_id, progress)
        else:
            await teardown.delete_engine_set(file, self.engine_set_id, progress)

    async def signal(self, sig: int) -> None:
        """Send a signal to every engine of the set."""
        from .run import signal_engine_set

        await signal_engine_set(self.record_file, self.engine_set_id, int(sig))

    def get_output(self, remove: bool = False) -> str:
        """The engines' logs as they were when the set was stopped; the files stay."""
        return self._read_logs(self.engine_set_id)

    def is_on_record(self, record: Record | None) -> bool:
        return record is not None and self.engine_set_id in record.engine_sets

    @classmethod
    def from_dict(cls, d: dict[str, Any], **kwargs: Any) -> "AzureVMEngineSetLauncher":
        """Restore from the record, without asking Azure; NotRunning only if it isn't there."""
        self: AzureVMEngineSetLauncher = super().from_dict(d, **kwargs)
        restore(self)
        return self
