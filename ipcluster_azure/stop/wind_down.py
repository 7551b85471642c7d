"""Everything that runs on a cluster's machines -> ended, and the machines kept: state CREATED.

For `ipcluster-azure deploy`, which then starts it anew; and for a deployment that has failed, or a
controller that has died, where the machines stay (Record.stays). It may be repeated.
"""

from ..errors import AzureLauncherError, ClusterStopped
from ..private_files import erase
from ..progress import Progress
from ..record.abort import ENDED, STOPPED
from ..record.contents import CREATED, CREATING, KEPT, Record
from ..record.file import RecordFile
from ..record.joining import Joining
from ..resource_manager.api import AzureApi, bridge
from ..ssh.endings import end_all, require_idle
from ..ssh.visits import visiting
from ..start.link_process import let_go_of_link, start_keeper
from .teardown import one_teardown

REACH_S = 10.0  # to log in to a controller's machine that was reached before


async def require_idle_engines(file: RecordFile, record: Record) -> None:
    """Raise AzureLauncherError if an engine computes, or the controller's machine is silent."""
    async with visiting(file, record) as visits:
        await require_idle(visits, record)


async def wind_down(
    file: RecordFile, progress: Progress, *, force: bool = False, only: int | None = None
) -> None:
    """End what runs on the machines; engine sets whose machines were still being asked for go.

    `force`: nothing that runs is waited for; `only`: nothing is ended but what is of this
    Record.deployments. What can't be reached is said: the next start there ends it.
    Raises ClusterStopped if the cluster is being deleted or gone, or what was to be ended is.
    """
    async with one_teardown(file):
        record = _mark_created(file, only)
        await bridge(let_go_of_link, file, record.link_pid, record.watcher_pid)
        await _forget_incomplete(file, record, progress)
        await _end_processes(file, record, progress, force=force)
        _forget_processes(file)
    await bridge(start_keeper, file)


def _mark_created(file: RecordFile, only: int | None) -> Record:
    """Tell the link, and every step that still runs, to end; launchers see it, too."""
    with file.edit() as record:
        if record.deleting:
            raise ClusterStopped(STOPPED)
        if only is not None and (record.is_created or record.deployments != only):
            raise ClusterStopped(ENDED)
        record.state, record.stays = CREATED, True
    return record


async def _forget_incomplete(file: RecordFile, record: Record, progress: Progress) -> None:
    for set_id, engine_set in record.engine_sets.items():
        if engine_set.state == CREATING:
            progress.say(f"Engine set {set_id} was still being made, and is deleted")
            with AzureApi(record.endpoint, record.plan.subscription_id) as api:
                await bridge(api.delete, engine_set.scale_set_id)
            with file.edit() as changed:
                changed.engine_sets.pop(set_id, None)


async def _end_processes(
    file: RecordFile, record: Record, progress: Progress, *, force: bool
) -> None:
    progress.say("Ending what runs on the machines")
    problems: list[str] = []
    try:
        async with visiting(file, record, within_s=REACH_S) as visits:
            problems += await end_all(visits, record, force=force)
    except AzureLauncherError as error:
        problems.append(" ".join(str(error).split()))
    for problem in problems:
        progress.log.warning("Not all could be ended: %s", problem)


def _forget_processes(file: RecordFile) -> None:
    """Have the record say what `create` had left it with."""
    with file.edit() as record:
        if record.deleting:
            raise ClusterStopped(STOPPED)
        record.link_pid = record.watcher_pid = 0
        record.tunnels = {}
        controller = record.controller
        controller.state, controller.pid = CREATING, 0
        controller.depot_url = controller.bundle_sha256 = ""
        for engine_set in record.engine_sets.values():
            engine_set.state, engine_set.lost_engines = KEPT, 0
            engine_set.joining = Joining()
        secrets = [file.client_file, file.open_requests, *file.connection_files.values()]
    for path in secrets:
        erase(path)
