"""When Azure has no room for machines: the next size or zone that the settings allow.

Azure may say so at once, or only while it makes the machines. Whatever is asked of it goes through
`first_with_room`; move_controller and next_plan say what is asked for next.
"""

import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..errors import NO_ROOM, AzureLauncherError
from ..plan.arm_template import controller_template
from ..plan.cluster_plan import ClusterPlan, EngineSetPlan
from ..plan.requests import ResourceRequest, requests
from ..plan.resource_types import PUBLIC_IP
from ..record.abort import require_alive
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.azure_time import azure_now
from ..resource_manager.waiting import gone
from .cost import move_cost
from .end_tags import note_end
from .provision import create_all, note_controller
from .request import StartContext
from .self_deletion import allow_self_deletion

T = TypeVar("T")
GONE_TIMEOUT_S = 300.0  # recorded: 46 s by force, nine of ten without it less than 136 s
NIC_GONE_TIMEOUT_S = 20.0


async def first_with_room(attempt: Callable[[AzureLauncherError | None], Awaitable[T]]) -> T:
    """Repeat `attempt` until Azure has room for what it asks for, and return its result.

    It is called with None first. After a refusal for lack of room it is called with that, to ask
    for the next place; where none is left it raises what it was called with.
    """
    refusal: AzureLauncherError | None = None
    while True:
        try:
            return await attempt(refusal)
        except NO_ROOM as error:
            if error is refusal:
                raise
            refusal = error


def next_plan(
    context: StartContext, left: list[EngineSetPlan], refusal: AzureLauncherError | None
) -> EngineSetPlan:
    """Take the first of the plans that are `left` off that list; `refusal` is of the one before.

    Raises `refusal` if no plan is left.
    """
    if refusal is not None:
        if not left:
            raise refusal
        context.progress.log.warning("%s", refusal)
    return left.pop(0)


async def move_controller(api: AzureApi, context: StartContext, refusal: AzureLauncherError) -> str:
    """Ask for the controller's machine in the next place on record, after `refusal` of another.

    Its failed machine is deleted; network and addresses are kept. Returns where SSH reaches it.
    Raises `refusal` if there is no other place, and what Azure says of the next one.
    """
    file, progress = context.file, context.progress
    record = require_alive(file)
    controller, old = record.controller, record.plan
    if not controller.alternatives:
        raise refusal
    size = controller.alternatives[0]
    progress.log.warning("%s", refusal)
    progress.say(f"Trying {size} for the controller")
    machine = replace(
        old.machine, vm_size=size.name, zone=size.zone, security_type=size.security_type
    )
    plan = replace(old, machine=machine)
    *network, nic, vm = _planned(file, Path(controller.job_file), plan)
    with file.edit() as record:
        record.plan, record.controller.alternatives = plan, controller.alternatives[1:]
        ends_otherwise = move_cost(record, size, azure_now(record.endpoint))
    if ends_otherwise:
        await note_end(api, file)
    await _remove(api, file, nic, vm)
    answers = await create_all(api, file, [nic, vm], lambda: None, progress)
    for request in network:
        if request.type == PUBLIC_IP:
            answers[request.id] = await bridge(api.get, request)
    host = note_controller(file, plan, vm, answers)
    await allow_self_deletion(api, file, progress)
    return host


async def _remove(
    api: AzureApi, file: RecordFile, nic: ResourceRequest, vm: ResourceRequest
) -> None:
    """Delete the failed machine; its interface goes with it, unless it failed before they met."""

    def exists(resource: str) -> bool:
        require_alive(file)
        return api.exists(resource)

    if not await bridge(api.exists, vm.id):
        return
    await bridge(api.delete, vm.id)
    if not await gone(functools.partial(exists, vm.id), GONE_TIMEOUT_S):
        raise AzureLauncherError(
            f"Azure has not deleted {vm.name}, for which it had no room, within "
            f"{GONE_TIMEOUT_S:.0f} s, so that this machine can't be asked for in another place. "
            "Run `ipcluster start` again."
        )
    await gone(functools.partial(exists, nic.id), NIC_GONE_TIMEOUT_S)


def _planned(file: RecordFile, job_file: Path, plan: ClusterPlan) -> list[ResourceRequest]:
    """Write the job file anew; return its requests, with the keys that the first one had."""
    template = controller_template(plan)
    job_file.write_text(json.dumps(template, indent=2), encoding="utf-8")
    parameters = json.loads(file.controller_parameters.read_text(encoding="utf-8"))
    values = {name: item["value"] for name, item in parameters["parameters"].items()}
    return requests(template, values, plan)
