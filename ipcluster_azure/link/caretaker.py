"""What a cluster's link does besides the tunnels: it keeps the way open, and acts on the news."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import AzureLauncherError
from ..record.abort import require_alive
from ..record.contents import Record
from ..record.file import WATCH_INTERVAL_S, RecordFile, held
from ..ssh.commands import guard_command
from ..ssh.connection import Connection
from .end_reasons import End, Event, as_news, died, end_of
from .farewell import visit_before_deletion
from .joining_sets import see_to_joining
from .reconnect import is_silent, is_superseded, keep_connected
from .tunnels import Tunnels

if TYPE_CHECKING:
    from .replacements import Replacements

FOLLOW_AGAIN_S = 2.0
GUARD_QUIET_S = 4.0  # it gives a sign of life each second
LOOK_S = 0.5
ASK_AGAIN_S = 5.0
QUIET_LOOKS = 4  # in a row, until Azure is asked
SURE_AFTER = 2  # answers of Azure's that the machine doesn't run
RETRY_S, LONGEST_RETRY_S = 5.0, 300.0  # pauses between attempts to delete
ANSWERING_LIMIT_S = 600.0  # for which clients that are still connected are told why

log = logging.getLogger(__name__)


class Caretaker:
    """Watches over one cluster: replaces lost machines, and deletes it when it has to end.

    It has the user's credentials, so it is the one that acts. It never deletes on mere silence,
    since a line that was cut heals. `revived`: another link has died before.
    """

    def __init__(
        self, file: RecordFile, tunnels: Tunnels, on_open: Callable[[], None], *, revived: bool
    ) -> None:
        self._file, self._tunnels, self._on_open = file, tunnels, on_open
        self._revived = self._was_open = revived
        record = file.require()
        self._cluster, self._deployment = record.plan.names.base, record.deployments
        self._end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._guard_heard_at = 0.0  # 0: not on this connection
        self._replacements: Replacements | None = None

    async def run(self) -> None:
        """Stay until the cluster is gone.

        Raises AzureLauncherError if the controller can't be reached at first, unless `revived`.
        """
        end = await self._watch_until_end()
        if (end is None or end.machines_stay) and self._is_superseded():
            self._tunnels.answer_with_errors(
                "What ran on the cluster's machines was ended, by `ipcluster-azure deploy` for "
                "example. Connect anew."
            )
            await self._tunnels.without_clients(ANSWERING_LIMIT_S)
        elif end is None:
            await self._see_it_deleted()
        elif end.machines_stay:
            await self._wind_down(end)
        else:
            await self._delete(end)

    async def _watch_until_end(self) -> End | None:
        """Return why the cluster must be deleted, or None once another process deletes it."""
        connecting = keep_connected(
            self._file, self._use, at_end=self._take_leave, patient=self._revived
        )
        line = asyncio.ensure_future(connecting)
        asking = asyncio.ensure_future(self._ask_azure())
        tasks = (line, asking, self._end)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._end.done():
                return self._end.result()
            await (line if line.done() else asking)
            return None
        finally:
            if self._replacements is not None:
                await self._replacements.close()
            # closing a connection to a dead machine properly would take for ever
            if self._tunnels.ssh is not None:
                self._tunnels.ssh.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_leave(self) -> None:
        """Tell the clients of a stop, and fetch the machines' logs for it while they are there."""
        if self._is_superseded():
            return
        self._tunnels.answer_with_errors("The cluster was stopped.")
        await visit_before_deletion(self._file, self._tunnels.ssh)

    async def _use(self, ssh: Connection, record: Record) -> None:
        """Relay over a new connection to the controller, and hear its guard, until it is lost."""
        self._guard_heard_at = 0.0
        self._tunnels.attach(ssh, record.controller.address, again=self._was_open)
        self._was_open = True
        self._on_open()
        if any(engine_set.lost_engines for engine_set in record.engine_sets.values()):
            self._get_replacements().go_on()
        joining = asyncio.ensure_future(see_to_joining(self._file, ssh, self._get_replacements))
        try:
            while True:
                try:
                    await ssh.follow(guard_command(record.environment, "follow"), self._hear)
                except AzureLauncherError as error:
                    log.debug("%s", error)
                except Exception:  # the tunnels don't need the guard
                    log.exception("The guard's news can't be understood")
                await asyncio.sleep(FOLLOW_AGAIN_S)
        finally:
            joining.cancel()
            self._tunnels.detach()
            await asyncio.gather(joining, return_exceptions=True)

    def _hear(self, event: Event) -> None:
        """Act on an event that vm_guard.py on the controller's machine has printed."""
        self._guard_heard_at = time.monotonic()
        for news in as_news(event):
            self._act_on(news)

    def _act_on(self, event: Event) -> None:
        kind = event["event"]
        if (end := end_of(event, self._file)) is not None:
            self._finish(end)
        elif kind in ("silent", "evicted"):
            self._get_replacements().suspect(event["machines"])
        elif kind == "heard" and self._replacements is not None:
            self._replacements.trust(event["machines"])

    def _get_replacements(self) -> "Replacements":
        from .replacements import Replacements  # as power.py

        if self._replacements is None:
            self._replacements = Replacements(self._file, lambda: self._tunnels.ssh)
        return self._replacements

    def _finish(self, end: End) -> None:
        if not self._end.done():
            self._end.set_result(end)

    async def _ask_azure(self) -> None:
        """Ask what has become of the controller's machine whenever nothing is heard of it."""
        quiet_looks = sure = 0
        while True:
            await asyncio.sleep(LOOK_S)
            quiet_looks = quiet_looks + 1 if self._is_quiet() else 0
            if quiet_looks < QUIET_LOOKS:
                sure = 0
                continue
            try:
                sure = sure + 1 if await self._is_off(sure) else 0
            except AzureLauncherError as error:
                log.info("%s", error)
            except Exception:  # the tunnels don't need the answer
                log.exception("What has become of the controller's machine can't be found out")
            await asyncio.sleep(LOOK_S if sure else ASK_AGAIN_S)

    async def _is_off(self, sure: int) -> bool:
        """Return whether Azure says that the controller's machine is off; end the cluster if so."""
        from ..resource_manager.power import NOT_RUNNING, power_of

        power = await power_of(self._file, require_alive(self._file).controller.vm_id)
        if power == "running":
            await self._let_in()
        if power in NOT_RUNNING and sure + 1 >= SURE_AFTER:
            self._finish(died(f"is {power}: its machine does not run", self._file))
        return power in NOT_RUNNING

    async def _let_in(self) -> None:
        """Allow SSH from this computer's address: the machine runs, so perhaps that has changed."""
        from ..start.ssh_rule import let_in

        if source := await let_in(self._file):
            log.warning("This computer's address is %s now; SSH is allowed from there", source)

    def _is_quiet(self) -> bool:
        ssh = self._tunnels.ssh
        if ssh is None or is_silent(ssh):
            return True
        # for systems where silence can't be seen; never without a first word, as others may be
        # slow to begin
        heard_at = self._guard_heard_at
        return bool(heard_at) and time.monotonic() - heard_at > GUARD_QUIET_S

    async def _wind_down(self, end: End) -> None:
        """Tell the clients why what runs on the machines ends, end it, and keep the machines."""
        await self._tell(end)
        from ..progress import Progress
        from ..stop.wind_down import wind_down

        with suppress(AzureLauncherError):  # who deletes the cluster meanwhile says so
            await wind_down(self._file, Progress(log), force=True, only=self._deployment)
        await self._tunnels.without_clients(ANSWERING_LIMIT_S)

    async def _delete(self, end: End) -> None:
        """Tell the clients why the cluster ends, and delete all that costs money."""
        await self._tell(end)
        await self._delete_cluster()
        await self._tunnels.without_clients(ANSWERING_LIMIT_S)
        self._tunnels.close_clients()

    async def _tell(self, end: End) -> None:
        """Tell the clients, the log, and on record the launchers."""
        log.warning("%s", end.why)
        if end.log_tail:
            path = self._file.log_path("", "controller")
            self._file.add_to_log(path, f"==> its end <==\n{end.log_tail}\n")
        self._tunnels.answer_with_errors(end.why)
        with suppress(AzureLauncherError, OSError), self._file.edit() as record:
            record.ended_because = end.why
        await asyncio.sleep(WATCH_INTERVAL_S)  # for launchers to see it

    async def _see_it_deleted(self) -> None:
        """Wait for the process that stops the cluster, and finish the stop if that fails or dies.

        It may die: Jupyter gives a kernel 5 s to end.

        Usually that is nothing, so that what it takes to delete is not even imported.
        """
        if not self._is_gone():  # else a lock would be made anew in what somebody is erasing
            async with held(self._file.teardown_lock()):
                pass
        if self._is_gone():
            self._file.remove_teardown_lock()
        else:
            await self._delete_cluster()

    def _is_superseded(self) -> bool:
        with suppress(AzureLauncherError):
            record = self._file.read()
            return record is not None and is_superseded(record, self._deployment)
        return False

    def _is_gone(self) -> bool:
        with suppress(AzureLauncherError):  # unreadable is not the same as gone
            return self._file.read() is None
        return False

    async def _delete_cluster(self) -> None:
        from ..progress import Progress
        from ..stop.teardown import delete_cluster

        pause_s = RETRY_S
        while True:
            try:
                await delete_cluster(self._file, Progress(log), only=self._cluster)
                return
            except Exception as error:  # whatever it is: it must not cost money for ever
                log.warning("The cluster can't be deleted now: %r", error)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_RETRY_S, 2 * pause_s)
