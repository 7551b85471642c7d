"""The last step of `ipcluster-azure create`: machines that were requested are made, and left as
they are. What bring_up.py is to a start.
"""

import asyncio
from collections.abc import Sequence

from ..formatting import counted
from ..plan.cluster_plan import EngineSetPlan
from ..record.abort import edited, require_alive
from ..record.contents import CREATED, KEPT, Limits, Record
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import all_or_none, until
from . import scheduled_end
from .controller_wait import controller_requested
from .engine_set import ControllerTasks, EngineSetStart
from .link_process import start_keeper
from .request import EngineSetSpec, JobFile, StartContext
from .self_deletion import allow_self_deletion


async def make_machines(
    context: StartContext,
    spec: EngineSetSpec,
    requesting: "asyncio.Future[None]",
    *,
    others: Sequence[EngineSetPlan],
    job: JobFile,
) -> None:
    """Wait until Azure has made the machines of both sides; then the cluster's state is CREATED.

    Arguments are those of bring_up. Raises what Azure says of the machines, or BootTimeout.
    """
    record = require_alive(context.file, spec.set_id)
    nobody: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        controller = asyncio.ensure_future(_controller_made(api, context, record, requesting))
        tasks = ControllerTasks(requesting, nobody, nobody)  # type: ignore[arg-type]
        making = EngineSetStart(api, context, spec, tasks).make(others, job)
        engines = asyncio.ensure_future(making)
        await all_or_none(requesting, controller, engines)
        await _see_to_the_end(api, context)
    with edited(context.file) as record:
        record.state = CREATED
    await bridge(start_keeper, context.file)
    context.progress.promise(promise(record.limits))


async def _controller_made(
    api: AzureApi, context: StartContext, record: Record, requesting: "asyncio.Future[None]"
) -> None:
    await asyncio.shield(requesting)
    record = await controller_requested(context.file, record)

    async def made() -> bool:
        controller = require_alive(context.file).controller
        doing = "creating the controller"
        return bool(await bridge(api.has_succeeded, controller.operation, doing))

    await until(made, record.controller.boot_timeout_s)


async def _see_to_the_end(api: AzureApi, context: StartContext) -> None:
    """Write on record that the machines stay, and have Azure see to their end: no guard does."""
    with edited(context.file) as record:
        record.stays = True
        for engine_set in record.engine_sets.values():
            engine_set.state = KEPT
    if not record.plan.owns_resource_group:
        record = await allow_self_deletion(api, context.file, context.progress)
    ids = [record.controller.vm_id]
    for engine_set in record.engine_sets.values():
        ids += [one.id for one in await bridge(api.machines, engine_set.scale_set_id)]
    context.progress.say(f"{counted(len(ids), 'machine')} are there, with nothing on them")
    await scheduled_end.schedule(api, record, ids, context.progress)


def promise(limits: Limits) -> str:
    """In words for the user: when machines on which nothing runs end, and who sees to that."""
    ends = []
    if limits.idle_timeout_min:
        ends.append(f"after {limits.idle_timeout_min:g} min without a deployment")
    if limits.max_lifetime_h:
        ends.append(f"after {limits.max_lifetime_h:g} h at the latest")
    if not ends:
        return "Nothing but `ipcluster-azure delete` will end these machines: both limits are off."
    gone = "they run, and cost, until `ipcluster-azure reap`"
    if limits.max_lifetime_h:
        gone = (
            f"Azure deallocates them after {limits.max_lifetime_h:g} h; disks and the address cost "
            "on until `ipcluster-azure reap`"
        )
    return (
        f"Until something is deployed, this computer sees to it that the machines are deleted "
        f"{' and '.join(ends)}. If it is off or gone, {gone}."
    )
