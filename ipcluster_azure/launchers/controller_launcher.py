"""ipyparallel's launcher of the controller, translated into calls on a deployment."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipyparallel.cluster.launcher import ControllerLauncher
from traitlets import List, Unicode

from ..errors import ClusterStopped, ConfigurationError
from ..process import importing
from ..progress import Progress
from ..record.file import RecordFile
from ..record.user_files import Preparation
from ..settings.numbers import BoundedFloat
from ..settings.traits import AzureVMLauncher
from ..settings.value_checks import wide_sources
from ..settings.values import A_DAY_S, Settings
from ..start.request import ProcessSpec
from . import on_machines
from .attempts import start_or_undo, stop_or_say
from .bad_values import check_sections, check_waits
from .base import AzureVMBase, restore
from .caller import Caller, caller, engines_to_start
from .client_check import check_client
from .engine_set_launcher import AzureVMEngineSetLauncher
from .on_machines import takes
from .start_view import start_shown

if TYPE_CHECKING:
    from ..start.profile_trial import Trial

RECORD_FOLLOWS_S = 1.0  # a start that is under way writes it just after the cluster file
RECORD_LOOK_S = 0.02


class AzureVMControllerLauncher(AzureVMBase, AzureVMLauncher, ControllerLauncher):  # type: ignore[misc]
    """Starts ipcontroller on an Azure virtual machine, and the network for the engines."""

    job_file_name = Unicode(
        "azure_controller-{cluster_id}.json",
        config=True,
        help="File in the profile for the ARM template of the controller and its network.",
    )

    controller_cmd = List(
        Unicode(),
        ["ipcontroller"],
        config=True,
        help="What is run on the controller's machine. It ends in `ipcontroller`; the words before "
        "are a command that runs it, such as `nice -n 5`. image_python says which Python runs it.",
    )
    connection_info_timeout = BoundedFloat(
        -1.0,
        min=-1,
        max=A_DAY_S,
        config=True,
        help="Seconds that get_connection_info waits for a controller that runs, when it is not "
        "told for how long. Below 0: as long as boot_timeout_s and the set-up allow.",
    )

    speaks_for_cluster = True

    async def start(self) -> None:
        """Ask Azure for the controller; returns when it has accepted, not when it has booted.

        If engines come next, it returns as soon as they can be requested; their launcher waits
        for the rest.
        """
        engines_follow = caller() is Caller.START_CLUSTER
        with start_shown(self, first=True, last=not engines_follow):
            await start_or_undo(self, self._start())

    async def _start(self) -> None:
        settings, engines = self.settings(), self._engines_to_come()
        check_waits(self.parent)
        check_sections(self.config, self.record_file.profile_dir)
        for source in wide_sources(settings.ssh_source):
            self.log.warning("ssh_source %s: much of the internet may try the SSH port", source)
        engine_settings = engines.settings() if engines is not None else None

        def trying() -> Coroutine[Any, Any, Preparation]:
            from ..start import profile_trial

            return profile_trial.prepare(
                self.log,
                self.cluster_id,
                controller=self.trial(),
                engines=engines.trial() if engines is not None else None,
            )

        file = self.record_file
        if takes(self, file.read()):
            await on_machines.start_controller(self, settings, engine_settings, trying)
            return
        await self._clear_the_way(file)
        await self._start_anew(settings, engine_settings, trying)

    async def _start_anew(
        self,
        settings: Settings,
        engine_settings: Settings | None,
        trying: Callable[[], Coroutine[Any, Any, Preparation]],
    ) -> None:
        """Find out where the cluster can be, and ask for its network and the controller there."""
        from ..ssh.keys import make_login_key

        making_key = asyncio.get_running_loop().run_in_executor(None, make_login_key)

        with importing():  # beside the making of the key
            from ..start import deployment
            from ..start.before_creation import find_out
            from ..start.controller_request import request_until_network
            from ..start.created import asked_by
            from ..stop import teardown

        file, context = self.record_file, self._context()
        n = engines_to_start(self.parent)
        finding = deployment.find_site(file, settings, engine_settings, n)
        site = await find_out(context, settings, finding, trying())
        site = replace(site, asked=asked_by(settings, engine_settings))
        await teardown.sweep(file, context.progress)
        if self.parent is not None:
            # else start_engines waits for the controller to boot before it calls our other half
            self.parent.send_engines_connection_env = False
        file.forget_logs()
        login_key = await making_key
        if self._was_dropped():
            raise ClusterStopped("The cluster was stopped before anything was created.")
        job, process = self._job(1), self.process()

        def request(on_network: Callable[[], None]) -> Coroutine[Any, Any, None]:
            ways = {"announce": self._announce, "on_network": on_network}
            return deployment.request_controller(
                context, site, job, process, login_key=login_key, **ways
            )

        engines_follow = caller() is Caller.START_CLUSTER
        await request_until_network(site.names.base, request, engines_follow=engines_follow)

    def process(self) -> ProcessSpec:
        """Return what ipcontroller is started with."""
        return replace(self._process(self.controller_args), cmd=self.controller_cmd)

    def trial(self) -> "Trial":
        """Return how the controller's configuration is to be tried before there is one."""
        from ..start.profile_trial import controller_trial

        return controller_trial(self.record_file.profile_dir, self.process())

    def _announce(self) -> None:
        """Write the cluster file just before the record, which `ipcluster stop` can't find without
        it: a death between the two leaves a file, and not a record that nobody finds.

        Raises ConfigurationError if somebody has erased the profile meanwhile: an empty one in its
        place would let the next `ipcluster start` run local engines."""
        if not Path(self.profile_dir).is_dir():
            raise ConfigurationError(
                f"The profile's folder {self.profile_dir} is gone, so nothing was created. Make it "
                f"anew: `ipcluster-azure init --profile={self.record_file.profile}`."
            )
        self._began = True
        self._save()

    def _was_dropped(self) -> bool:
        return self.parent is not None and self.parent.controller is not self

    async def undo(self) -> None:
        """Delete what this start created; a cluster that was there before is none of that."""
        if self.claimed:
            await on_machines.undo(self)
        elif self._began:
            self.log.error("The start failed; undoing what was created")
            await self._delete_cluster()
            self.stopped()

    def _engines_to_come(self) -> AzureVMEngineSetLauncher | None:
        """Return a launcher like that of the engines that come next: their mistakes are found now.

        None if none come, or if nothing is known of them.
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
        engines: AzureVMEngineSetLauncher = launcher_class(
            parent=cluster, profile_dir=self.profile_dir, cluster_id=self.cluster_id
        )
        settings = engines.settings()
        n = engines_to_start(cluster)
        if n is not None:
            from ..plan.cluster_plan import check_engine_count

            check_engine_count(settings, n)
        return engines

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
        with importing():
            from ..stop.teardown import delete_cluster

        await delete_cluster(self.record_file, Progress(self.log))

    async def get_connection_info(self, timeout: float | None = None) -> dict[str, Any]:
        """Return {"client": {...}, "engine": {...}} once the controller runs and can be reached.

        Raises AzureLauncherError, or TimeoutError after `timeout` seconds, unless that is below 0;
        None stands for connection_info_timeout.
        """
        from ..start import start_controller

        if (record := self.record_file.read()) is not None:
            check_client(record.environment)
        limit_s = self.connection_info_timeout if timeout is None else timeout
        ready = start_controller.get_ready(self._context())
        await asyncio.wait_for(ready, limit_s if limit_s >= 0 else None)
        files = self.record_file.connection_files
        return {kind: json.loads(path.read_text()) for kind, path in files.items()}

    async def stop(self) -> None:
        """Delete the cluster. Returns when Azure has accepted; harmless when repeated."""
        await stop_or_say(self, self._delete_cluster())

    async def signal(self, sig: int) -> None:
        """Send a signal to ipcontroller."""
        from ..ssh.signals import signal_controller

        await signal_controller(self.record_file, int(sig))

    def get_output(self, remove: bool = False) -> str:
        """Return the controller's log as it was when the cluster was stopped.

        The file stays in the profile whatever `remove` says: its machine is gone.
        """
        return self._read_logs("")

    @classmethod
    def from_dict(cls, d: dict[str, Any], **kwargs: Any) -> "AzureVMControllerLauncher":
        """Restore from the record, without asking Azure; NotRunning only if there is none."""
        self: AzureVMControllerLauncher = super().from_dict(d, **kwargs)
        deadline = time.monotonic() + RECORD_FOLLOWS_S
        while not self.record_file.path.exists() and time.monotonic() < deadline:
            time.sleep(RECORD_LOOK_S)
        restore(self)
        return self
