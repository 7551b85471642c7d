"""Sees to the limits of a cluster on whose machines nothing runs: there is no guard, and no link.

    python -m ipcluster_azure.link.keeper RECORD

Started by `ipcluster-azure create`, and by whoever ends what runs on machines that stay. It ends
once a controller runs there, and its guard, or the cluster is deleted; where the process that
deletes it dies, it does the rest. A watcher (watcher.py) starts it again if it is killed, and it
the watcher.
"""

import asyncio
import logging
import os
import sys
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from ..errors import AzureLauncherError
from ..progress import Progress
from ..record.contents import READY, Limits, Record
from ..record.file import RecordFile, held
from ..resource_manager.azure_time import azure_now, passed_s
from .partner import POSSIBLE, Inheritance, Partner, inherit

MODULE = "ipcluster_azure.link.keeper"
LOOK_S = 0.5
RETRY_S = 30.0
H_S, MIN_S = 3600.0, 60.0

log = logging.getLogger(__name__)


def over(limits: Limits, age_s: float, idle_s: float) -> str:
    """Return which limit is over, in words; empty if none is. `idle_s`: without a deployment."""
    if limits.max_lifetime_h and age_s >= limits.max_lifetime_h * H_S:
        return f"{limits.max_lifetime_h:g} h, its longest life (max_lifetime_h)"
    if limits.idle_timeout_min and idle_s >= limits.idle_timeout_min * MIN_S:
        return f"{limits.idle_timeout_min:g} min without a deployment (idle_timeout_min)"
    return ""


class Keeper:
    """Keeps one cluster; there is one keeper of it at a time.

    `left` is what the watcher hands on that has started this process, if one has.
    """

    def __init__(self, file: RecordFile, left: Inheritance | None = None) -> None:
        self._file, self._began = file, passed_s()
        self._idle_since = self._began
        with file.edit() as record:
            self.needed = record.is_created
            if self.needed:
                record.keeper_pid = os.getpid()
        self._cluster, self._age_s = record.plan.names.base, _age_s(record)
        self._deployments = record.deployments
        self._partner: Partner | None = None
        if POSSIBLE:
            self._partner = Partner(file.path, self._cluster, lambda pid: None, MODULE)
            if left is not None:
                self._partner.adopt(left)

    async def run(self) -> None:
        """Keep the cluster until that is over; then the watcher ends as well."""
        watching = asyncio.ensure_future(self._partner.run()) if self._partner else None
        await self._keep()
        if self._partner is not None and watching is not None:
            watching.cancel()
            self._partner.say_goodbye()

    async def _keep(self) -> None:
        while self.needed:
            await asyncio.sleep(LOOK_S)
            try:
                self.needed = await self._look()
            except Exception as error:  # whatever it is: the machines must not cost for ever
                log.warning("The cluster can't be looked after now: %r", error)
                await asyncio.sleep(RETRY_S)

    async def _look(self) -> bool:
        """Look at the record and the time; returns whether there is anything left to keep."""
        record = self._file.read()
        if record is None or record.plan.names.base != self._cluster:
            return False
        if record.deleting:
            async with held(self._file.teardown_lock()):
                pass
            await self._delete()
            return False
        runs = record.controller.state == READY and not record.is_created
        if runs or record.keeper_pid != os.getpid():
            return False
        now = passed_s()
        if record.deployments != self._deployments:  # it may be killed, and leave no other keeper
            self._deployments, self._idle_since = record.deployments, now
        if why := over(record.limits, self._age_s + now - self._began, now - self._idle_since):
            log.warning("Deleted after %s.", why)
            await self._delete()
            return False
        return True

    async def _delete(self) -> None:
        from ..stop.teardown import delete_cluster  # hardly any keeper needs it

        await delete_cluster(self._file, Progress(log), only=self._cluster)
        if not self._file.path.exists():
            self._file.remove_teardown_lock()


def _age_s(record: Record) -> float:
    """Return how old the cluster is, by Azure's clock if that can be asked."""
    from ..resource_manager.api import AzureApi

    created, now = datetime.fromisoformat(record.created), datetime.now(timezone.utc)
    plan = record.plan
    with suppress(AzureLauncherError), AzureApi(record.endpoint, plan.subscription_id) as api:
        api.group_exists(plan.resource_group)
        now = azure_now(record.endpoint)
    return (now - created).total_seconds()


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        keeper = Keeper(RecordFile(Path(sys.argv[1])), inherit())
    except AzureLauncherError:  # it has been deleted just now
        return
    with suppress(OSError):  # who has started it may have been killed
        print(flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    asyncio.run(keeper.run())


if __name__ == "__main__":
    main()
