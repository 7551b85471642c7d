"""A cluster whose machines are there already: what `ipcluster-azure create` has made, or `deploy`
has taken the processes from. What a start of it checks, and what it changes on record.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psutil

from ..errors import AzureLauncherError, ClusterStopped, ConfigurationError
from ..formatting import counted
from ..record.abort import STOPPED
from ..record.contents import CREATING, Record
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.images import find_image
from ..resource_manager.power import NOT_RUNNING, emulator_is_gone
from ..settings.image_reference import parse_image
from ..settings.values import MADE_BY, OF_EITHER_SIDE, OF_ENGINES, Settings
from .own_files import put_beside
from .planning import Site, environment_for
from .preflight import Place
from .request import ProcessSpec

CLUSTER, ENGINES = "cluster", "engines"


def asked_by(settings: Settings, engine_settings: Settings | None) -> dict[str, Any]:
    """Return for a record which settings its machines are made by; None: no engines come next."""
    asked = {CLUSTER: _values(settings, MADE_BY - OF_ENGINES)}
    if engine_settings is not None:
        asked[ENGINES] = _values(engine_settings, MADE_BY & (OF_EITHER_SIDE | OF_ENGINES))
    return asked


def _values(settings: Settings, names: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(
        json.dumps({name: getattr(settings, name) for name in sorted(names)})
    )
    return values


def check_unchanged(file: RecordFile, record: Record, now: Mapping[str, Any]) -> None:
    """Raise ConfigurationError if settings are others than those that the machines were made by.

    `now` is what asked_by returns of the settings of now.
    """
    for side, before in record.asked.items():
        for name, value in before.items():
            if side in now and now[side].get(name, value) != value:
                whose = "the engines' machines" if side == ENGINES else "the machines"
                raise ConfigurationError(
                    f"{name} is {_shown(now[side][name])}, and {whose} were made with "
                    f"{_shown(value)}, which a deployment can't change. Set it back; or delete the "
                    f"machines, {file.command('ipcluster-azure delete')}, and create others."
                )


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else repr(value)


def check_count(file: RecordFile, record: Record, n: int | None) -> None:
    """Raise ConfigurationError for another number of engines than machines were made for.

    None: the user has named none.
    """
    if n is not None and n != record.engines:
        start = file.command(f"ipcluster start -n {record.engines}")
        raise ConfigurationError(
            f"The machines were made for {counted(record.engines, 'engine')}, not {n}. Type "
            f"{start}; for another number delete them first, "
            f"{file.command('ipcluster-azure delete')}."
        )


def is_being_started(record: Record) -> bool:
    """Return whether a process is making the machines, or starting what runs on them, just now."""
    with suppress(psutil.Error):
        process = psutil.Process(record.starter_pid)
        alive = record.starter_pid and process.status() != psutil.STATUS_ZOMBIE
        return bool(alive and process.create_time() == record.starter_began)
    return False


def claim(file: RecordFile) -> Record:
    """Note that this process starts what runs on the machines, and return the record.

    Raises AzureLauncherError if another process does, ClusterStopped if the cluster is being
    deleted.
    """
    with file.edit() as record:
        if record.deleting:
            raise ClusterStopped(STOPPED)
        if is_being_started(record):
            raise AzureLauncherError(
                f"Process {record.starter_pid} is just starting this cluster. Wait for its end; "
                f"{file.command('ipcluster stop')} deletes the cluster."
            )
        note_starter(record)
    return record


def note_starter(record: Record) -> None:
    own = psutil.Process()
    record.starter_pid, record.starter_began = own.pid, own.create_time()


def release(file: RecordFile) -> None:
    """Take back what `claim` has noted."""
    with suppress(AzureLauncherError), file.edit() as record:
        if record.starter_pid == os.getpid():
            record.starter_pid, record.starter_began = 0, 0.0


async def find_machines(file: RecordFile, record: Record, settings: Settings) -> Site:
    """Return the Site of machines that are there: as find_site, which finds a new cluster's.

    Raises AzureLauncherError if they can't be reached, or the controller's does not run.
    """
    delete = file.command("ipcluster-azure delete")
    if emulator_is_gone(record.endpoint):
        raise AzureLauncherError(
            f"The emulator that ran the machines has ended, and they with it. Type {delete}."
        )
    plan = record.plan
    with AzureApi(record.endpoint, plan.subscription_id) as api:
        power = await bridge(api.power_of, record.controller.vm_id)
        image = await find_image(api, parse_image(settings.image), plan.location)
    if power in NOT_RUNNING:
        raise AzureLauncherError(
            f"The controller's machine is {power}, so that nothing can be started on it. Type "
            f"{delete}, and create others."
        )
    complete = replace(settings, location=plan.location, subscription_id=plan.subscription_id)
    place = Place(complete, record.endpoint, plan.ssh_sources, plan.own_source)
    return Site(place, plan.names, (), record.limits, image=image)


def take_over(file: RecordFile, site: Site, process: ProcessSpec) -> None:
    """Write on record that a start goes on from here, and with what.

    `process` is what ipcontroller is started with. Raises ClusterStopped if the machines are being
    deleted, or something runs on them.
    """
    settings = site.place.settings
    with file.edit() as record:
        if not record.is_created:
            raise ClusterStopped(STOPPED)
        record.state, record.ended_because = CREATING, ""
        record.deployments += 1
        record.environment = environment_for(site)
        record.preparation, record.own_files = site.preparation, site.own_files.record
        record.limits.idle_timeout_min = settings.idle_timeout_min
        controller = record.controller
        controller.args, controller.variables = list(process.args), dict(process.variables)
        controller.cmd = list(process.cmd)
        controller.boot_timeout_s = settings.boot_timeout_s
    put_beside(file, site.own_files)


def rename_sets(file: RecordFile, set_id: str) -> dict[str, int]:
    """Give the engine sets of machines that are there new ids, the first `set_id`.

    Launchers of other processes that had started engines there don't take the new ones for theirs.
    Returns the number of engines of each set, by its new id.
    """
    with file.edit() as record:
        sets = list(record.engine_sets.values())
        names = [set_id, *(f"{set_id}-{number}" for number in range(2, len(sets) + 1))]
        record.engine_sets = dict(zip(names, sets, strict=True))
        return {name: one.n for name, one in record.engine_sets.items()}
