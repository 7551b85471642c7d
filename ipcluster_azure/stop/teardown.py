"""Recorded ids -> gone. Every part may be repeated, and may run while another does the same.

One engine set of a cluster that goes on: engine_set.py.
"""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ..endpoint import Endpoint
from ..errors import AzureLauncherError, ClusterStopped, RecordDamaged, RecordOfOtherVersion
from ..private_files import erase
from ..progress import Progress
from ..record.contents import DELETING, READY, Record
from ..record.file import RecordFile, held, read_core
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.azure_time import azure_now
from ..resource_manager.compute import import_beside
from ..resource_manager.discovery import resources_of_cluster
from ..resource_manager.power import emulator_is_gone
from ..resource_manager.waiting import gone
from ..start.link_process import end_link
from ..start.provision import creates_in_flight
from .deletion import delete_in_order, delete_whole_group
from .visit_process import LOGS_TIMEOUT_S, bring_results, link_visits, visit_machines

RESULTS_TIMEOUT_S = 60.0  # with sync_back alone
# how long a stop waits to see the group gone: Azure takes minutes, the emulator a few seconds
GONE_LOOKS_S, EMULATED_GONE_LOOKS_S = 0.5, 5.0


@asynccontextmanager
async def one_teardown(file: RecordFile) -> AsyncIterator[None]:
    """Let one teardown after the other at a cluster, in whatever process they run."""
    async with held(file.teardown_lock()):
        yield
    if not file.path.exists():
        file.remove_teardown_lock()


def mark_deleting(file: RecordFile, only: str = "") -> bool:
    """Tell every step that is still running to give up; False if the cluster is gone already.

    `only`: as in delete_cluster. Never awaits: ipyparallel calls both launchers' stop() at once,
    and the second must see this mark.
    """
    if not file.path.exists():
        return False
    try:
        with file.edit() as record:
            if not _is_meant(record, only):
                return False
            record.state = DELETING
    except ClusterStopped:  # by another process, just now
        return False
    return True


def _is_meant(record: Record, only: str) -> bool:
    return only in ("", record.plan.names.base)


async def delete_cluster(file: RecordFile, progress: Progress, *, only: str = "") -> None:
    """Delete everything. Returns when Azure has accepted that, and says so.

    `only`: the name of the cluster that is meant, where another may have come in its place.
    Raises AzureLauncherError if it can't be done now; then the record stays, and
    `ipcluster stop` can be repeated.
    """
    try:
        begun = mark_deleting(file, only)
    except RecordOfOtherVersion as error:
        await _delete_by_core(file, error, progress)
        return
    if not begun:
        return
    async with one_teardown(file):
        await bridge(creates_in_flight.wait, file.path)
        record = file.read()
        if record is None or not _is_meant(record, only):
            return
        with progress.reminding():
            await _delete_recorded(file, record, progress)
    # not before: it takes over if this process dies or fails
    await bridge(end_link, record.link_pid, file, record.watcher_pid)


async def _delete_recorded(file: RecordFile, record: Record, progress: Progress) -> None:
    import_beside()
    if record.controller.state == READY and file.key_file.exists():
        if not emulator_is_gone(record.endpoint):
            await bring_home(file, record, progress)
        await bridge(_fetch_logs, file)
    _forget_secrets(file, record)
    if emulator_is_gone(record.endpoint):
        progress.say("The emulator that ran this cluster is gone, and its machines with it")
        file.erase()
        return
    await _delete_resources(file, record, progress)


async def _delete_by_core(
    file: RecordFile, error: RecordOfOtherVersion, progress: Progress
) -> None:
    """Delete a cluster of which only the core of its record can be read."""
    core = error.core
    file.erase_ways_in()
    progress.log.warning("%s Deleting cluster %s by its tags.", error, core.cluster)
    async with one_teardown(file):
        if not file.path.exists():  # another process was faster
            return
        if not emulator_is_gone(core.endpoint):
            with AzureApi(core.endpoint, core.subscription_id) as api:
                found = await bridge(resources_of_cluster, api, core.resource_group, core.cluster)
                if core.owns_resource_group:
                    await delete_whole_group(api, core.resource_group, found)
                else:
                    await delete_in_order(api, found, progress)
        file.erase()
    progress.say(f"Azure has accepted the deletion of cluster {core.cluster}")


async def bring_home(
    file: RecordFile, record: Record, progress: Progress, set_id: str = ""
) -> None:
    """Bring home what the setting sync_back names; says what came, and what could not."""
    if not record.own_files.back:
        return
    progress.say("Bringing results home")
    brought = await bridge(
        functools.partial(bring_results, file, set_id=set_id, timeout_s=RESULTS_TIMEOUT_S)
    )
    for line in brought.lines:
        progress.say(line)
    for problem in brought.problems:
        progress.log.warning("Results could not be brought home: %s", problem)


def _fetch_logs(file: RecordFile) -> bool:
    return link_visits(file) or visit_machines(file, timeout_s=LOGS_TIMEOUT_S)


async def _delete_resources(file: RecordFile, record: Record, progress: Progress) -> None:
    group = record.plan.resource_group
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        if not record.plan.owns_resource_group:
            await delete_in_order(api, record.resources, progress)
            file.erase()
            progress.say(f"Deleted the cluster's resources in resource group {group}")
            _tell_cost(record, progress)
            return
        await delete_whole_group(api, group, record.resources)
        progress.say(f"Azure has accepted the deletion of resource group {group}")
        _tell_cost(record, progress)
        looks_s = EMULATED_GONE_LOOKS_S if record.endpoint.token_file else GONE_LOOKS_S
        if await gone(functools.partial(api.group_exists, group), looks_s, every_s=0.3):
            file.erase()
        else:
            file.retire()


def _tell_cost(record: Record, progress: Progress) -> None:
    if spent := record.cost.spent_in_words(azure_now(record.endpoint)):
        progress.say(f"The cluster has cost {spent}")


def _forget_secrets(file: RecordFile, record: Record) -> None:
    """Erase secrets before the deletion, which may take minutes or fail.

    The record names files of its own: older versions chose other names.
    """
    file.erase_ways_in()
    for name in record.secret_files:
        erase(Path(name))
    with suppress(ClusterStopped), file.edit() as changed:
        changed.forget_secrets()


async def sweep(file: RecordFile, progress: Progress) -> None:
    """Look after clusters of the profile whose deletion Azure had accepted but not finished.

    One that can't be looked after, as its subscription or its emulator doesn't answer, is named: a
    new cluster may be elsewhere.
    """
    silent: set[Endpoint] = set()
    for path in file.retired():
        try:
            core = read_core(path)
        except RecordDamaged:  # `ipcluster-azure reap` finds what is left, and removes the file
            continue
        if emulator_is_gone(core.endpoint):
            path.unlink(missing_ok=True)
            continue
        if core.endpoint in silent:
            continue
        try:
            with AzureApi(core.endpoint, core.subscription_id) as api:
                # asked again, not only looked for: a deletion may have failed
                is_there = await bridge(api.delete_group, core.resource_group)
        except AzureLauncherError as error:
            silent.add(core.endpoint)
            progress.log.warning(
                "Whether Azure has deleted cluster %s, stopped before, is unknown: %s",
                core.cluster,
                error,
            )
        else:
            if not is_there:
                path.unlink(missing_ok=True)
