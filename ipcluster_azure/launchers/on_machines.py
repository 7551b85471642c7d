"""A start on machines that are there already: what both launchers do then, instead of asking Azure.

The controller's launcher is `claimed` from the moment that its process has put itself on record as
the one who starts (created.py) until the engines run, and `took_over` once a failure ends what runs
on the machines. They are kept then.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import ClusterStopped
from ..formatting import counted
from ..progress import Progress
from ..record.contents import Record
from ..record.user_files import Preparation
from ..settings.values import Settings
from .caller import engines_asked
from .stop_events import watch

Trying = Callable[[], Coroutine[Any, Any, Preparation]]


def takes(launcher: Any, record: Record | None) -> bool:
    """Return whether the controller's launcher goes on with the machines of this record."""
    if record is None or record.deleting:
        return False
    return record.is_created or _replaces(launcher)


def _replaces(launcher: Any) -> bool:
    return bool(getattr(launcher.parent, "replaces", False))


def _asked(launcher: Any) -> int | None:
    """Return how many engines the user has asked for; `deploy` asks for what there was."""
    return None if _replaces(launcher) else engines_asked(launcher.parent)


async def start_controller(
    launcher: Any, settings: Settings, engine_settings: Settings | None, trying: Trying
) -> None:
    """Take the machines over; what is to run on them starts with the engines, or once asked for.

    Raises AzureLauncherError, and has changed nothing then, if the settings are of other machines.
    """
    from ..start import created
    from ..start.before_creation import find_out
    from ..start.ssh_rule import let_in
    from ..stop.wind_down import require_idle_engines, wind_down

    file, context = launcher.record_file, launcher._context()
    record = created.claim(file)
    launcher.claimed = True
    created.check_unchanged(file, record, created.asked_by(settings, engine_settings))
    created.check_count(file, record, _asked(launcher))
    finding = created.find_machines(file, record, settings)
    site = await find_out(context, settings, finding, trying())
    if not record.is_created:
        force = bool(getattr(launcher.parent, "force", False))
        if not force:
            await require_idle_engines(file, record)
        launcher.took_over = True
        await wind_down(file, context.progress, force=force)
    launcher.took_over = True
    launcher._announce()
    created.take_over(file, site, launcher.process())
    launcher.notify_start({"record": str(file.path)})
    watch(launcher)
    await let_in(file)
    if launcher.parent is not None:
        launcher.parent.send_engines_connection_env = False
    context.progress.say(f"The machines are there, for {counted(record.engines, 'engine')}")


async def start_engines(launcher: Any, n: int) -> None:
    """Start the controller, and the engines of all sets; this launcher's is the first of them."""
    from ..start import created
    from ..start.bring_up import bring_up
    from ..start.controller_request import rest_of_request
    from ..start.request import EngineSetSpec, JobFile

    file, context, cluster = launcher.record_file, launcher._context(), launcher.parent
    record, settings = file.require(), launcher._settings_of_start()
    if _asked(launcher) is not None or n != os.cpu_count():  # else ipyparallel has chosen n
        created.check_count(file, record, record.engines if _replaces(launcher) else n)
    files = await launcher._files_to_run(file, record)
    process = replace(launcher.process(), files=files)
    work = []
    for set_id, count in created.rename_sets(file, launcher.engine_set_id).items():
        first = set_id == launcher.engine_set_id
        one = launcher if first else _beside(launcher, set_id)
        one.n = count
        one.notify_start({"record": str(file.path)})
        watch(one)
        own = settings if first else replace(settings, min_engines=0, ready_engines=0)
        spec = EngineSetSpec(set_id, own, process)
        requesting = rest_of_request(record.plan.names.base)
        job = JobFile(launcher._job(count).path, lambda template: None)
        work.append(asyncio.ensure_future(bring_up(context, spec, requesting, others=(), job=job)))

    from ..resource_manager.waiting import all_or_none

    await all_or_none(*work)
    created.release(file)
    cluster.controller.claimed = cluster.controller.took_over = False


def _beside(launcher: Any, set_id: str) -> Any:
    """Make the launcher of another set of the same cluster, which a stop and a list then know."""
    cluster = launcher.parent
    other = type(launcher)(
        work_dir=".",
        parent=cluster,
        log=cluster.log,
        profile_dir=cluster.profile_dir,
        cluster_id=cluster.cluster_id,
        engine_set_id=set_id,
    )
    other.on_stop(partial(cluster._engines_stopped, set_id))
    cluster.engines[set_id] = other
    return other


async def undo(controller: Any) -> None:
    """End what a failed start has begun on machines that are there, and keep them."""
    from ..start import created
    from ..stop.wind_down import wind_down

    file, log = controller.record_file, controller.log
    engines = list(getattr(controller.parent, "engines", {}).values())
    for launcher in (controller, *engines):
        launcher.ends_here = True
    took_over = controller.took_over
    controller.claimed = controller.took_over = False
    if took_over:
        with suppress(ClusterStopped):  # by another process, which deletes the machines
            await wind_down(file, Progress(log), force=True)
            again, delete = (
                file.command(f"ipcluster-azure {word}") for word in ("deploy", "delete")
            )
            log.warning(
                "The machines are kept, and nothing runs on them: %s tries again, %s deletes them.",
                again,
                delete,
            )
    created.release(file)
    for launcher in (controller, *engines):
        if launcher.state == "running":
            launcher.stopped()


def is_claimed(launcher: Any) -> bool:
    """Return whether a start on machines that are there goes on at this launcher's Cluster."""
    return bool(getattr(getattr(launcher.parent, "controller", None), "claimed", False))
