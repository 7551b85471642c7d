"""The packages of a running cluster, brought up to date.

READ FIRST: `PackageSync.run`. The controller's machine comes first, which then offers the new ones;
each machine of engines takes what it lacks and installs it in place. Engines are started anew only
where they may have loaded what is other or gone now.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..environment.selection import PreparedEnvironment, Selection
from ..errors import BootstrapFailed, ConfigurationError
from ..progress import Progress
from ..record.abort import edited, require_alive
from ..record.contents import Record
from ..record.file import RecordFile
from ..resource_manager.api import bridge
from ..settings.environment_checks import LOCK
from ..ssh import package_updates
from ..ssh.bootstrap import keep_offering
from ..ssh.connection import Connection
from ..ssh.machine_lock import machine_lock
from ..ssh.visits import Visits, problem
from ..start.asked_packages import asked_of
from ..start.carried import packages_of
from ..start.engine_processes import Teller
from ..start.machine_python import prepare_in
from .new_engines import StartedAnew, start_anew
from .package_changes import Changes, Wanted, changes, is_up_to_date, needs_new_start, spans
from .sync_settings import selection_now

OF_IMAGE = "The packages are those of the image, and stay as they are."
OLDER = "The packages stay as they are: an older version of ipcluster-azure started the cluster."


@dataclass(frozen=True)
class PackagePlan:
    """What the machines are to have; `asked` goes on record."""

    selection: Selection
    prepared: PreparedEnvironment
    wanted: Wanted
    asked: Mapping[str, Any]


@dataclass
class PackagesOutcome:
    """`lines` for the user, and `problems` with machines."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def plan_packages(
    file: RecordFile, record: Record, progress: Progress, *, by_shell: bool
) -> PackagePlan | str:
    """Lock the packages of here for the machines, or say why theirs stay as they are.

    Raises ConfigurationError for what the machines can't have.
    """
    environment = record.environment
    if not environment.is_built:
        return OF_IMAGE
    if not environment.asked:
        return OLDER
    found = await bridge(
        partial(selection_now, file.profile_dir, environment.asked, by_shell=by_shell)
    )
    if found is None:
        return OF_IMAGE
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python != environment.python:
        raise ConfigurationError(
            f"Nothing was changed: the engines run Python {environment.python}, this is Python "
            f"{python}. Use {environment.python}, or stop the cluster and start it from here."
        )
    selection, target = found
    loop = asyncio.get_running_loop()

    def say(text: str) -> None:  # from another thread
        with suppress(RuntimeError):  # the loop is closed: the command was interrupted
            loop.call_soon_threadsafe(progress.say, text)

    prepared = await bridge(prepare_in, file.environment_dir, selection, target, say)
    lock = machine_lock(prepared.lock, prepared.python)
    return PackagePlan(selection, prepared, Wanted.of(lock), asked_of(selection, target))


@dataclass
class PackageSync:
    """One attempt, over the connections of `visits`; `force`: even while engines compute."""

    visits: Visits
    plan: PackagePlan
    force: bool
    progress: Progress

    async def look(self, record: Record) -> dict[str, Any]:
        """Return what the controller's machine has.

        Raises ConfigurationError if it would have to be another start: nothing is changed then.
        """
        looked = await package_updates.look(self.visits.gate, record.environment)
        if needed := needs_new_start(changes(looked, self.plan.wanted)):
            raise ConfigurationError(
                f"Nothing was changed: {', '.join(needed)} needs a new start, as the controller "
                "goes on with what it has. Stop the cluster and start it again, or install here "
                "what it has."
            )
        return looked

    async def run(
        self, record: Record, controller: Mapping[str, Any], looks: Mapping[str, Any]
    ) -> PackagesOutcome:
        """Bring all machines up to date: `controller` and `looks` are what they were found to have,
        by name; of those that can't be reached, the reason."""
        wanted, environment = self.plan.wanted, record.environment
        outcomes: dict[str, Any] = {
            name: it["outdated"] if isinstance(it, Mapping) else it
            for name, it in looks.items()
            if not isinstance(it, Mapping) or is_up_to_date(it, wanted)
        }
        offers = environment.made_of == wanted.digest and is_up_to_date(controller, wanted)
        if not offers or len(outcomes) < len(looks):
            record = await self._update(record, outcomes)
        outdated = [name for name, it in outcomes.items() if it is True]
        anew = StartedAnew()
        if outdated:
            anew = await start_anew(
                self.visits, record, outdated, force=self.force, progress=self.progress
            )
        failures = {n: it for n, it in outcomes.items() if isinstance(it, BaseException)}
        found = _first([controller, *looks.values()], wanted)
        lines = [_said(found, anew), *(self.plan.prepared.warnings if found else ())]
        problems = [problem(name, error) for name, error in (failures | anew.failures).items()]
        return PackagesOutcome(lines, problems)

    async def _update(self, record: Record, outcomes: dict[str, Any]) -> Record:
        """Update the controller's machine and those that are not in `outcomes`, which is added to:
        whether engines there may have old packages loaded, or what failed."""
        await self._offer(record)
        tell = Teller(self.progress).tell
        for _ in range(2):  # machines that came meanwhile have started with what was there before
            record = require_alive(self.visits.file)

            async def update(
                machine: Connection, name: str, set_id: str, record: Record = record
            ) -> bool:
                return await package_updates.update_machine(
                    machine, record, self.plan.wanted.lock, tell
                )

            outcomes |= await self.visits.make(record, update, besides=outcomes)
        return require_alive(self.visits.file)

    async def _offer(self, record: Record) -> None:
        """Update the controller's machine, and put on record what it offers from then on."""
        prepared, plan, gate = self.plan.prepared, self.plan, self.visits.gate
        await keep_offering(gate, record)
        new = record.environment
        new.kind = LOCK if plan.selection.python_lock else plan.selection.kind
        new.lock, new.wheels = str(prepared.lock), [str(path) for path in prepared.wheels]
        new.asked, new.made_of = dict(plan.asked), plan.wanted.digest
        packages = packages_of(new)
        if packages is None:
            raise BootstrapFailed("The cluster uses the packages of its image.")
        teller = Teller(self.progress, "The controller's machine")
        offered = await package_updates.update_controller(
            gate, new, packages, plan.wanted.lock, teller.tell
        )
        with edited(self.visits.file) as changed:
            new.packages = dict(offered.packages)
            changed.environment = new
            changed.controller.environment_sha256 = offered.sha256


def _first(looks: Sequence[Any], wanted: Wanted) -> Changes:
    """Return what changes on the controller's machine, or else on the first of the others."""
    found = (changes(look, wanted) for look in looks if isinstance(look, Mapping))
    return next(filter(None, found), Changes())


def _said(found: Changes, anew: StartedAnew) -> str:
    """Say what has changed, and what it means for the engines."""
    parts = [str(found)] if found else []
    if anew.ids:
        came = [new for new in anew.ids.values() if new is not None]
        what = f"engine{'' if len(anew.ids) == 1 else 's'} {spans(anew.ids)}"
        verb = "is" if len(anew.ids) == 1 else "are"
        parts.append(f"{what} {verb} started anew as {spans(came) or 'none'}")
    if anew.computing:
        parts.append(
            f"as they compute, these engines may still have old packages: {spans(anew.computing)}. "
            "Run the same command afterwards, or with --force"
        )
    if not parts:
        return "The packages are up to date."
    if not anew.ids and not anew.computing:
        parts.append("the engines go on, and can import them")
    return "; ".join(parts) + "."
