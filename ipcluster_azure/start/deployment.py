"""READ FIRST: the steps of a start, in order.

    find_site           settings -> where the cluster can be; refuses what can't, creates nothing
    request_controller  the record, the network and the controller's machine
    request_engines     the machines of an engine set, in that network
    bring_up            both sides from booting machines to engines that are registered

A request returns once Azure has accepted it, not when the machines have booted. ipyparallel calls
its launchers one after the other, but the machines boot together: nothing waits for them before
bring_up, and where engines come next, request_controller goes on beside request_engines as soon as
the network is there.

What the steps know of each other is in the record: they may run on different event loops, and for
engines that are added later in different processes. The way back is stop/teardown.py.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from ..errors import AzureLauncherError
from ..naming import ClusterNames
from ..plan.cluster_plan import EngineSetPlan
from ..record.abort import require_alive
from ..record.contents import READY, Limits, Record
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.compute import import_beside
from ..resource_manager.waiting import all_or_none
from ..settings.values import Settings
from ..ssh.connection import Connection
from ..ssh.keys import make_login_key
from . import scheduled_end
from .controller_wait import controller_requested
from .engine_set import ControllerTasks, EngineSetStart, note_ready
from .limits import find_limits, promise
from .machine_requests import request_controller_machine, request_machines
from .next_place import first_with_room, next_plan
from .planning import Site, put_on_record
from .preflight import Place, check_access, find_place
from .provision import create_group
from .request import EngineSetSpec, JobFile, ProcessSpec, StartContext
from .sizes import Market, controller_sizes, engine_sizes, look, usable
from .start_controller import open_gate, open_tunnels, start_controller


async def find_site(
    file: RecordFile, settings: Settings, engine_settings: Settings | None, n: int | None
) -> Site:
    """Complete and check the settings. Raises before anything is created, within 10 s.

    `engine_settings` are None where no engines come next, `n` is None where their number is open.
    """
    import_beside()
    making_key = asyncio.ensure_future(bridge(make_login_key))
    asking = asyncio.ensure_future(_ask_azure(file, settings))
    await all_or_none(making_key, asking)
    place, names, market, limits = asking.result()
    sizes = controller_sizes(place.settings, market)
    site = Site(place, names, tuple(sizes), limits, making_key.result())
    if engine_settings is not None:
        _check_engines(engine_settings, n, site, market)
    return site


async def _ask_azure(
    file: RecordFile, settings: Settings
) -> tuple[Place, ClusterNames, Market, Limits]:
    place = await find_place(settings)
    with AzureApi(place.endpoint, place.settings.subscription_id) as api:
        names = await _free_names(api, file, place)
        looking = asyncio.ensure_future(look(api, place.settings, file.profile_dir))
        limiting = asyncio.ensure_future(find_limits(api, place.settings))
        await all_or_none(looking, limiting)
    return place, names, looking.result(), limiting.result()


async def _free_names(api: AzureApi, file: RecordFile, place: Place) -> ClusterNames:
    """Choose names that no cluster has; else a group that isn't ours would be deleted with it."""
    while True:
        names = ClusterNames.for_cluster(file.profile, file.cluster_id)
        if await check_access(api, place.settings, names.base):
            return names


def _check_engines(settings: Settings, n: int | None, site: Site, market: Market) -> None:
    """Raise if the engines that come next can't be had beside the controller."""
    there = replace(settings, location=site.place.settings.location)
    if n is None:
        usable(there, market.offers)
    else:
        engine_sizes(there, market, n, site.sizes[0])


async def request_controller(
    context: StartContext,
    site: Site,
    job: JobFile,
    process: ProcessSpec,
    *,
    announce: Callable[[], None],
    on_network: Callable[[], None],
) -> None:
    """Write the record, then ask Azure for the network and the controller's machine.

    Calls `announce` just before the record is written, and `on_network` as soon as engines can be
    requested. Returns once Azure has accepted.
    """
    record, planned = put_on_record(context, site, job, process, announce)
    context.progress.log.info(promise(record.limits, record.plan))
    context.progress.say(f"Requesting the controller, {site.sizes[0]} in {record.plan.location}")
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        await create_group(api, context.file, record.plan)
        preparing = asyncio.ensure_future(scheduled_end.prepare(api, record))
        work = request_controller_machine(api, context, record.plan, planned, on_network)
        requesting = asyncio.ensure_future(work)
        await all_or_none(preparing, requesting)
    host = requesting.result()
    context.progress.say(f"Azure has accepted the controller; it will answer at {host}")


async def request_engines(
    context: StartContext, plans: Sequence[EngineSetPlan], job: JobFile
) -> list[EngineSetPlan]:
    """Ask Azure for the machines of an engine set, by the first of the plans that it has room for.

    Returns the plans that are left, to be tried should there be no room after all.
    """
    left = list(plans)

    async def attempt(refusal: AzureLauncherError | None) -> None:
        await request_machines(context, next_plan(context, left, refusal), job)

    await first_with_room(attempt)
    return left


async def bring_up(
    context: StartContext,
    spec: EngineSetSpec,
    requesting: "asyncio.Future[None]",
    *,
    others: Sequence[EngineSetPlan],
    job: JobFile,
) -> int:
    """Wait for the controller and the machines of an engine set, and start both sides.

    One connection to the controller's machine, the gate, serves both: the engines' machines are
    logged in to through it while the controller is being set up. `requesting` may still ask for the
    controller; what it raises is raised. Where there is no room for the engines' machines after
    all, those of the `others` are asked for.

    Returns how many engines registered, which is at least settings.min_engines.
    Raises BootTimeout, BootstrapFailed, EnginesMissing, or what Azure said of the machines.
    """
    record = require_alive(context.file, spec.set_id)
    async with AsyncExitStack() as connections:
        api = connections.enter_context(AzureApi(record.endpoint, record.plan.subscription_id))
        gate = asyncio.ensure_future(open_gate(context, spec.settings, record, connections))
        running = asyncio.ensure_future(_run_controller(context, record, gate))
        tunnels = asyncio.ensure_future(_open_tunnels(context, running))
        controller = ControllerTasks(requesting, gate, running)
        starting = EngineSetStart(api, context, spec, controller).run(others, job)
        engines = asyncio.ensure_future(starting)
        await all_or_none(requesting, gate, running, tunnels, engines)
    note_ready(context.file, spec)
    return engines.result()


async def _run_controller(
    context: StartContext, record: Record, gate: "asyncio.Future[Connection]"
) -> None:
    record = await controller_requested(context.file, record)
    if record.controller.state != READY:  # else engines are added to a cluster that runs
        await start_controller(context, await asyncio.shield(gate))


async def _open_tunnels(context: StartContext, running: "asyncio.Future[None]") -> None:
    await asyncio.shield(running)
    await open_tunnels(context)
