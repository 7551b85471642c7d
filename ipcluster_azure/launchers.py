"""ipyparallel's launcher contract, translated into calls on a deployment.

A launcher keeps nothing but JSON: its calls run on different event loops (`start_cluster_sync`
makes one for each) and in different processes (`ipcluster stop`). All else is in the record.
Importing this module must stay cheap, since every `ipcluster` command does: azure.* and asyncssh
are imported where they are needed.
"""

import asyncio
import json
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipyparallel.cluster.launcher import ControllerLauncher, EngineLauncher, NotRunning
from traitlets import Unicode, default

from .cluster_file import add_engine_set, remove_engine_set
from .config import AzureVMLauncher, Settings
from .errors import AzureLauncherError, ClusterStopped, ConfigurationError
from .order import Order
from .progress import Progress
from .record import DELETING, KEPT, READY, Record, RecordFile

WATCH_INTERVAL_S = 1.0
JOIN_INTERVAL_S = 0.1


# a subclass of AzureVMLauncher would be one more section in every generated configuration file
if TYPE_CHECKING:
    _Base = AzureVMLauncher
else:
    _Base = object


class _AzureVM(_Base):
    """What both launchers do alike; without traits, which a plain mixin could not initialise."""

    job_file_name: str
    entrypoint_name = "azurevm"  # the shorter of two; cluster files and `ipcluster list` show it

    _template: dict[str, Any] | None = None
    _began = False

    @property
    def record_file(self) -> RecordFile:
        return RecordFile.of(self.profile_dir, self.cluster_id)

    @property
    def job_file(self) -> str:
        """The ARM template that start() writes and submits."""
        return str(Path(self.profile_dir) / self.job_file_name)

    def find_args(self) -> list[str]:
        """Names the launcher in log lines; the real command runs on the machines."""
        return [f"{type(self).__name__}"]

    def poll(self) -> int | None:
        """None while running, else an exit code, as subprocess.Popen.poll()."""
        return 0 if self.state == "after" else None

    async def join(self, timeout: float | None = None) -> None:
        """Wait until stopped. Raises TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.state != "after":
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{self.args[0]} did not stop in {timeout} s")
            await asyncio.sleep(JOIN_INTERVAL_S)

    def _submit(self, n: int, template: dict[str, Any]) -> dict[str, Any]:
        """Write the job file; from here on there may be something to stop. Returns the file."""
        self._began = True
        if self._was_dropped():
            raise ClusterStopped("The cluster was stopped while it was starting.")
        self._template = template
        self.write_job_file(n)
        self.notify_start({"record": str(self.record_file.path)})
        self._save()
        self._watch()
        self.log.info("Submitting %s", self.job_file)
        submitted: dict[str, Any] = json.loads(Path(self.job_file).read_text(encoding="utf-8"))
        return submitted

    def _save(self) -> None:
        """Let `ipcluster stop` find the cluster: ipyparallel itself saves it only after start()."""
        if self.parent is not None:
            self.parent.update_cluster_file()

    def write_job_file(self, n: int) -> None:
        """Write job_file for `n` engines, or for the controller, whatever n is."""
        if self._template is None:
            self._template = _in_own_loop(self._make_template(n))
        self.log.info("Writing job description file: %s", self.job_file)
        text = json.dumps(self._template, indent=2)
        Path(self.job_file).write_text(text, encoding="utf-8")

    async def _make_template(self, n: int) -> dict[str, Any]:
        raise NotImplementedError

    def _order(self, args: list[str]) -> Order:
        return Order(
            file=self.record_file,
            cluster_id=self.cluster_id,
            profile=Path(self.profile_dir).name.removeprefix("profile_"),
            job_file=Path(self.job_file),
            progress=Progress(self.log),
            args=list(args),
            variables=dict(self.environment),
        )

    async def _start_or_undo(
        self, starting: Awaitable[None], undo: Callable[[], Awaitable[None]]
    ) -> None:
        """Await a start; undo it if it fails, unless it fails because the cluster is deleted."""
        try:
            await starting
        except BaseException as error:
            being_deleted = self._being_deleted()
            if not being_deleted:
                await undo()
            stopped = being_deleted or isinstance(error, ClusterStopped)
            if stopped and _ipcluster_app(self) is not None and isinstance(error, Exception):
                # whoever stopped the cluster ends the application; tornado passes this over
                raise asyncio.CancelledError from error
            self._exit_application(error)
            raise

    def _exit_application(self, error: BaseException) -> None:
        """Make ipcluster, if that is what runs, exit with status 1 and one line.

        It has no handler around what it calls: after an exception it would go on running, without
        a cluster, for ever.
        """
        app = _ipcluster_app(self)
        if app is None or not isinstance(error, Exception):
            return
        expected = isinstance(error, AzureLauncherError)
        self.log.critical("%s", error, exc_info=not expected)
        # `ipcluster engines` would say it once more, with a page of tracebacks
        app.log.addFilter(lambda entry: entry.msg != "Engine start failed")
        app.exit(1)

    async def _stop_or_say(self, stopping: Awaitable[None]) -> None:
        """Await a stop. If it fails the record stays, and the stop can be repeated."""
        try:
            await stopping
        except Exception as error:
            self.log.error("The cluster could not be deleted; run `ipcluster stop` again")
            self._exit_application(error)
            raise
        self._stopped()

    def _is_on_record(self, record: Record | None) -> bool:
        """Whether this launcher's machines may still exist."""
        return record is not None

    def _was_dropped(self) -> bool:
        """Whether stop_cluster came so early that the Cluster forgot this launcher."""
        raise NotImplementedError

    def _being_deleted(self) -> bool:
        """Whether a cluster that this launcher had begun to start is deleted, or soon will be."""
        if self.state == "before":
            return False
        record = self.record_file.read()
        return record is None or record.deleting

    def _watch(self) -> None:
        """Notice, in a thread, when another process deletes what this launcher started."""
        self.loop  # noqa: B018  # the thread has none of its own
        threading.Thread(
            target=_watch_record, args=(weakref.ref(self),), daemon=True, name="azurevm-watch"
        ).start()

    def _stopped(self) -> None:
        self.notify_stop({"exit_code": 0, "identifier": self.identifier})

    def _read_logs(self, set_id: str) -> str:
        paths = self.record_file.log_paths(set_id)
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)


class AzureVMControllerLauncher(_AzureVM, AzureVMLauncher, ControllerLauncher):  # type: ignore[misc]
    """Starts ipcontroller on an Azure virtual machine, and the network for the engines."""

    job_file_name = Unicode(
        config=True,
        help="File in the profile for the ARM template of the controller and its network. "
        "Empty: azure_controller-{cluster_id}.json",
    )

    @default("job_file_name")
    def _default_job_file_name(self) -> str:
        return f"azure_controller-{self.cluster_id}.json"

    async def start(self) -> None:
        """Ask Azure for the controller; returns when it has accepted, not when it has booted."""
        await self._start_or_undo(self._start(), self._undo)

    async def _start(self) -> None:
        settings, engine_settings = self.settings(), self._engine_settings()
        file = self.record_file
        await self._clear_the_way(file)

        from . import deployment, teardown  # a second of imports: refusals come before it

        site = await deployment.find_site(settings, engine_settings, file.profile_dir)
        await teardown.sweep(file)
        if self.parent is not None:
            # else start_engines waits for the controller to boot before it calls our other half
            self.parent.send_engines_connection_env = False
        for path in file.log_paths(""):
            path.unlink(missing_ok=True)
        if self._was_dropped():
            raise ClusterStopped("The cluster was stopped before anything was created.")
        order = self._order(self.controller_args)
        await deployment.request_controller(order, site, partial(self._submit, 1))

    def _was_dropped(self) -> bool:
        return self.parent is not None and self.parent.controller is not self

    async def _undo(self) -> None:
        """Delete what this start created; a cluster that was there before is none of that."""
        if self._began:
            self.log.error("The start failed; undoing what was created")
            await self._delete_cluster()
            self._stopped()

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
        from . import deployment
        from .template import controller_template

        site = await deployment.find_site(self.settings(), None, self.record_file.profile_dir)
        return controller_template(deployment.plan_controller(self._order([]), site))

    async def get_connection_info(self, timeout: float | None = None) -> dict[str, Any]:
        """{"client": {...}, "engine": {...}}, once the controller runs and can be reached.

        Raises AzureLauncherError, or TimeoutError after `timeout` seconds if that is given.
        """
        from . import deployment

        order = self._order(self.controller_args)

        async def ready() -> None:
            await deployment.controller_running(order, self.settings())
            await deployment.open_tunnels(order)

        await asyncio.wait_for(ready(), timeout)
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
        _restore(self)
        return self


class AzureVMEngineSetLauncher(_AzureVM, AzureVMLauncher, EngineLauncher):  # type: ignore[misc]
    """Starts engines on a scale set of Azure virtual machines."""

    job_file_name = Unicode(
        config=True,
        help="File in the profile for the ARM template of the engines' scale set. Empty: "
        "azure_engineset-{cluster_id}.json",
    )
    _cluster_file = ""

    @default("job_file_name")
    def _default_job_file_name(self) -> str:
        return f"azure_engineset-{self.cluster_id}.json"

    async def start(self, n: int) -> None:
        """Start n engines; returns when they are registered with the controller."""
        self.n = n
        await self._start_or_undo(self._start(n), self._undo)

    async def _start(self, n: int) -> None:
        from .plan import check_engine_count

        settings, file = self.settings(), self.record_file
        check_engine_count(settings, n)
        record = self._join_cluster(file)

        from . import deployment, teardown  # a second of imports: refusals come before it

        order = self._order(self.engine_args)
        kept = record.engine_sets.get(self.engine_set_id)
        if kept is not None and (kept.state != KEPT or kept.n != n):
            await teardown.delete_engine_set(file, self.engine_set_id, order.progress)
            kept = None
        if kept is None:
            submit = partial(self._submit, n)
            await deployment.request_engines(order, settings, self.engine_set_id, n, submit)
        else:
            self.notify_start({"record": str(file.path)})
            self._watch()
        await deployment.bring_up(order, settings, self.engine_set_id)

    def _join_cluster(self, file: RecordFile) -> Record:
        """The cluster that these engines belong to, started by this process or by another."""
        controller = getattr(self.parent, "controller", None)
        if controller is not None and not isinstance(controller, AzureVMControllerLauncher):
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
        from .teardown import delete_cluster, delete_engine_set

        file, progress = self.record_file, Progress(self.log)
        record = file.read()
        if record is None:
            return
        ours = getattr(self.parent, "controller", None) is not None
        first = all(item.state not in (READY, KEPT) for item in record.engine_sets.values())
        if ours and first and (self._began or _ipcluster_app(self) is not None):
            self.log.error("The start failed; undoing what was created")
            await delete_cluster(file, progress)
            self.parent.controller._stopped()
        elif self._began:
            self.log.error("The start failed; deleting these engines' machines")
            await delete_engine_set(file, self.engine_set_id, progress)
        self._stopped()

    async def _make_template(self, n: int) -> dict[str, Any]:
        from . import deployment
        from .template import engine_set_template

        set_id = self.engine_set_id
        record, plan = await deployment.plan_engines(self._order([]), self.settings(), set_id, n)
        return engine_set_template(record.plan, plan)

    async def stop(self) -> None:
        """Delete the machines of this set; within restart_engines end only its processes."""
        await self._stop_or_say(self._stop())
        if self._cluster_file:
            remove_engine_set(Path(self._cluster_file), self.engine_set_id)

    async def _stop(self) -> None:
        from . import teardown

        file, progress = self.record_file, Progress(self.log)
        record = file.read()
        if record is not None and record.state == DELETING:
            await teardown.delete_cluster(file, progress)
        elif _restarting():
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

    def _is_on_record(self, record: Record | None) -> bool:
        return record is not None and self.engine_set_id in record.engine_sets

    @classmethod
    def from_dict(cls, d: dict[str, Any], **kwargs: Any) -> "AzureVMEngineSetLauncher":
        """Restore from the record, without asking Azure; NotRunning only if it isn't there."""
        self: AzureVMEngineSetLauncher = super().from_dict(d, **kwargs)
        _restore(self)
        return self


def _restore(launcher: Any) -> None:
    """Make a launcher that was read from a cluster file a running one, if it is on record."""
    try:
        on_record = launcher._is_on_record(launcher.record_file.read())
    except AzureLauncherError as error:  # unreadable is not the same as gone
        launcher.log.warning("%s", error)
        on_record = True
    if not on_record:
        raise NotRunning(f"{launcher.record_file.path} has no record of it")
    launcher.state = "running"
    launcher._watch()


def _restarting() -> bool:
    """Whether Cluster.restart_engines is what called: stop() can't tell it from a stop."""
    from ipyparallel.cluster.cluster import Cluster

    frame = sys._getframe()
    while frame is not None:
        if frame.f_code is Cluster.restart_engines.__code__:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _ipcluster_app(launcher: Any) -> Any:
    """The ipcluster command that this launcher works for, if one does."""
    from ipyparallel.cluster.app import BaseParallelApplication

    parent = launcher.parent
    while parent is not None and not isinstance(parent, BaseParallelApplication):
        parent = parent.parent
    return parent


def _watch_record(reference: "weakref.ref[Any]") -> None:
    """Notify a launcher of its stop once it is no longer on record; ends with the launcher."""
    while (launcher := reference()) is not None and launcher.state != "after":
        try:
            gone = not launcher._is_on_record(launcher.record_file.read())
        except AzureLauncherError:
            gone = False
        if gone:
            loop = launcher.loop.asyncio_loop
            if loop.is_running():
                launcher.loop.add_callback(launcher._stopped)
            else:  # that of a _sync call, closed long ago
                launcher._stopped()
            return
        del launcher
        time.sleep(WATCH_INTERVAL_S)


def _in_own_loop(coroutine: Any) -> Any:
    """Run a coroutine for a caller that isn't one, whether or not a loop runs here."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(_outcome(coroutine)))
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _outcome(coroutine: Any) -> Any:
    try:
        return asyncio.run(coroutine)
    except BaseException as error:
        return error
