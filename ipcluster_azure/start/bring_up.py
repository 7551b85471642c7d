"""The last step of a start: from booting machines to engines that are registered.

It is apart from the other steps (deployment.py) for what it imports: asyncssh, which nobody needs
until Azure has been asked for the machines.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from ..plan.cluster_plan import EngineSetPlan
from ..record.abort import require_alive
from ..record.contents import READY, Record
from ..resource_manager.api import AzureApi
from ..resource_manager.waiting import all_or_none
from ..ssh.connection import Connection
from .controller_wait import controller_requested
from .engine_set import ControllerTasks, EngineSetStart, note_ready
from .request import EngineSetSpec, JobFile, StartContext
from .start_controller import open_gate, open_tunnels, start_controller
from .submitted_files import Packing


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

    Returns how many engines registered, which is at least settings.min_engines, or
    settings.ready_engines: then the link sees to the others.
    Raises BootTimeout, BootstrapFailed, EnginesMissing, or what Azure said of the machines.
    """
    record = require_alive(context.file, spec.set_id)
    async with AsyncExitStack() as connections:
        api = connections.enter_context(AzureApi(record.endpoint, record.plan.subscription_id))
        packing = Packing(context, record, spec.set_id)
        connections.callback(packing.give_up)
        gate = asyncio.ensure_future(open_gate(context, record, connections))
        running = asyncio.ensure_future(_run_controller(context, record, gate))
        tunnels = asyncio.ensure_future(_open_tunnels(context, running))
        controller = ControllerTasks(requesting, gate, running)
        starting = EngineSetStart(api, context, spec, controller).run(others, job)
        engines = asyncio.ensure_future(starting)
        await all_or_none(requesting, gate, running, tunnels, engines)
        note_ready(context.file, spec)
        await packing.complete(job.path)
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
