"""`ipcluster-azure sync`: brings packages and the user's own files on a cluster up to date.

READ FIRST: `sync`. It is safe to repeat whenever it ends: the controller's machine gets the
difference first, then it is on record what a machine must have, and each machine is asked what it
has. Engines take new modules between two tasks (on_vm/agent/own_files.py). Packages come first
(sync_packages.py): modules may need them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import AzureLauncherError, ConfigurationError
from ..own_files.choice import AUTO
from ..own_files.collect import Collected, collect
from ..own_files.manifest import Manifest
from ..private_files import write_private
from ..progress import Progress
from ..record.abort import edited, require_alive
from ..record.contents import Record
from ..record.file import RecordFile, held
from ..record.user_files import OwnFiles
from ..resource_manager.api import bridge
from ..ssh import own_files as on_machines
from ..ssh import package_updates
from ..ssh.bootstrap import keep_offering
from ..ssh.connection import Connection
from ..ssh.engine_restarts import restart_engines
from ..ssh.visits import Visits, ids_of, visiting
from ..start.own_files import choice_of
from ..start.reattach import started
from .sync_outcome import Outcome, told
from .sync_packages import PackagePlan, PackagesOutcome, PackageSync, plan_packages


@dataclass(frozen=True)
class Wish:
    """What the user wants: the settings of now where the profile has them, and what was typed.

    `folder` is where the files lie, None for the folder of before; `python_path` is sys.path where
    the user's program is the one that runs this; `force`: even while engines compute.
    """

    paths: tuple[str, ...] | None = None
    limit_mb: float | None = None
    back: tuple[str, ...] | None = None
    folder: Path | None = None
    python_path: tuple[str, ...] = ()
    force: bool = False

    def over(self, own: OwnFiles) -> OwnFiles:
        """Return what is on record, changed by this wish."""
        changed = replace(own)
        if self.folder is not None:
            changed.folder = str(self.folder)
        if self.paths is not None:
            changed.paths = list(self.paths)
        if self.limit_mb is not None:
            changed.limit_mb = self.limit_mb
        if self.back is not None:
            changed.back = list(self.back)
        return changed


async def sync(file: RecordFile, wish: Wish, progress: Progress) -> Outcome:
    """Bring a running cluster up to date; what is the same on the machines does not travel.

    Raises AzureLauncherError, and has changed nothing then: there is no such cluster, nothing to
    send, too much, an engine computes, or the packages need a new start.
    """
    started(file)
    with progress.reminding():
        async with held(file.sync_lock()):
            return await _sync(file, wish, progress)


async def _sync(file: RecordFile, wish: Wish, progress: Progress) -> Outcome:
    record = require_alive(file)
    own, before = wish.over(record.own_files), manifest_of(file)
    plan = await plan_packages(file, record, progress, by_shell=not wish.python_path)
    found = await bridge(_collect, file, own, wish, before, plan)
    async with visiting(file, record) as visits:
        looks = await _look(visits, record, wish)
        packages = await _sync_packages(visits, record, plan, wish, looks, progress)
        if found is None:
            return Outcome(packages.lines, packages.problems)
        unreachable = {n: it for n, it in looks.items() if isinstance(it, BaseException)}
        files = await _sync_files(visits, wish, own, found, before, unreachable)
    problems = [*packages.problems, *(it for it in files.problems if it not in packages.problems)]
    return replace(files, lines=[*packages.lines, *files.lines], problems=problems)


async def _look(visits: Visits, record: Record, wish: Wish) -> dict[str, Any]:
    """Look at all machines: what packages and engines they have by name, or why they can't be
    reached.

    Raises AzureLauncherError if an engine has a task: what it uses would change under it.
    """

    async def look(machine: Connection, name: str, set_id: str) -> Any:
        packages = await package_updates.look(machine, record.environment)
        return packages | await on_machines.look(machine, record.environment, set_id)

    looks = await visits.make(record, look)
    computing = sorted(i for it in looks.values() if isinstance(it, dict) for i in it["computing"])
    if computing and not wish.force:
        raise AzureLauncherError(
            f"Nothing was changed, as engines compute: {ids_of(computing)}. Wait for the end of "
            "their tasks, or use --force: then tasks may see old files and new ones, or end."
        )
    return looks


async def _sync_packages(
    visits: Visits,
    record: Record,
    plan: PackagePlan | str,
    wish: Wish,
    looks: Mapping[str, Any],
    progress: Progress,
) -> PackagesOutcome:
    if isinstance(plan, str):
        return PackagesOutcome([plan])
    attempt = PackageSync(visits, plan, wish.force, progress)
    return await attempt.run(record, await attempt.look(record), looks)


async def _sync_files(
    visits: Visits,
    wish: Wish,
    own: OwnFiles,
    found: Collected,
    before: Manifest,
    outcomes: dict[str, Any],
) -> Outcome:
    """Bring the files to all machines but those in `outcomes`, which can't be reached."""
    file = visits.file
    record = await _offer(file, visits.gate, require_alive(file), own, found, before)
    for _ in range(2):  # machines that came meanwhile have started with what was there before
        outcomes |= await _apply(visits, record, found.manifest, wish, done=outcomes)
        record = require_alive(file)
    return told(own, found, before, outcomes)


def manifest_of(file: RecordFile) -> Manifest:
    """Return what the controller offers; nothing for a cluster of before there was such a thing."""
    try:
        return Manifest.from_json(file.own_files.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Manifest()


def _collect(
    file: RecordFile, own: OwnFiles, wish: Wish, before: Manifest, plan: PackagePlan | str
) -> Collected | None:
    """Return the files to send; None if there are none, and packages are what it is about."""
    try:
        return _collected(file, own, wish, before)
    except NothingToSend:
        if isinstance(plan, str):
            raise
        return None


class NothingToSend(ConfigurationError):
    """There are no files to sync."""


def _collected(file: RecordFile, own: OwnFiles, wish: Wish, before: Manifest) -> Collected:
    if not own.paths and not before.files:
        raise NothingToSend(
            "There is nothing to sync: c.AzureVMLauncher.sync_paths is empty. ['auto'] stands for "
            "the modules of the working directory."
        )
    if not own.folder:
        raise NothingToSend(
            "The cluster doesn't say whose files it has. Name the folder: --from=FOLDER."
        )
    if not Path(own.folder).is_dir():
        raise ConfigurationError(
            f"{own.folder} is gone, from where the cluster has its files. Name another folder: "
            "--from=FOLDER."
        )
    # a shell's command imports nothing: what the user's own program did is remembered
    found = collect(choice_of(own, file, wish.python_path or before.search))
    if not found.contents and not before.files:
        what = "modules" if own.paths == [AUTO] else "files"
        raise NothingToSend(
            f"There is nothing to sync: {own.folder} has no {what}. Name another folder "
            "(--from=FOLDER), or files in c.AzureVMLauncher.sync_paths."
        )
    return found


async def _offer(
    file: RecordFile,
    gate: Connection,
    record: Record,
    own: OwnFiles,
    found: Collected,
    before: Manifest,
) -> Record:
    """Have the controller's machine offer the files, and put that on record."""
    sha256 = record.own_files.sha256
    await keep_offering(gate, record)
    if found.manifest.id != before.id or not sha256:
        since = before if sha256 else Manifest()
        difference = await bridge(found.archive, since)
        sha256 = await on_machines.merge(
            gate, record.environment, sha256, difference.data, difference.sha256
        )
        own = replace(own, sha256=sha256, difference=difference.sha256, base=since.id)
    with edited(file) as changed:
        write_private(file.own_files, found.manifest.to_json())
        changed.own_files = own
    return changed


async def _apply(
    visits: Visits,
    record: Record,
    manifest: Manifest,
    wish: Wish,
    *,
    done: Mapping[str, Any],
) -> dict[str, Any]:
    """Have the machines take what they lack, but for those that are `done`; returns what came."""
    own = record.own_files
    wanted = {
        "url": record.controller.depot_url,
        "id": manifest.id,
        "base": own.base,
        "difference": own.difference,
        "whole": own.sha256,
        "force": wish.force,
    }

    async def apply(machine: Connection, name: str, set_id: str) -> Any:
        applied = await on_machines.apply(machine, record.environment, set_id, wanted)
        again: Mapping[int, int | None] = {}
        if pids := applied["outdated"]:
            restarted = await restart_engines(machine, record.environment, set_id, pids)
            again = restarted.ids
        return applied | {"again": again}

    return await visits.make(record, apply, besides=done)
