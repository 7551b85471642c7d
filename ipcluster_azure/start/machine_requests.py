"""Asks Azure for machines: the controller's with the network, and those of an engine set.

Both functions return once Azure has accepted.
"""

from collections.abc import Callable, Sequence

from ..errors import AzureLauncherError
from ..formatting import counted
from ..plan.arm_template import engine_set_template
from ..plan.cluster_plan import ClusterPlan, EngineSetPlan
from ..plan.requests import ResourceRequest, requests
from ..record.abort import edited, edited_set
from ..record.contents import EngineSet, Machine, Record
from ..resource_manager.api import AzureApi
from ..resource_manager.azure_time import azure_now
from ..ssh.keys import KeyPair, make_host_key
from .cost import add_engines, cost_now
from .end_tags import note_end
from .next_place import first_with_room, move_controller
from .planning import secure_parameters, write_parameters
from .provision import create_all, create_resource, note_controller
from .request import JobFile, StartContext
from .self_deletion import allow_self_deletion


async def request_controller_machine(
    api: AzureApi,
    context: StartContext,
    plan: ClusterPlan,
    planned: Sequence[ResourceRequest],
    on_network: Callable[[], None],
) -> str:
    """Create what is `planned`, the machine last, in the first place that has room for that.

    Returns where SSH reaches it.
    Calls `on_network` once the record says that engines can be requested in the network.
    """
    file, progress = context.file, context.progress

    def note_network() -> None:
        with file.edit() as record:
            record.controller.network_ready = True
        on_network()

    async def attempt(refusal: AzureLauncherError | None) -> str:
        if refusal is not None:
            return await move_controller(api, context, refusal)
        answers = await create_all(api, file, planned, note_network, progress)
        host = note_controller(file, plan, planned[-1], answers)
        await allow_self_deletion(api, file, progress)
        return host

    return await first_with_room(attempt)


async def request_machines(context: StartContext, plan: EngineSetPlan, job: JobFile) -> None:
    """Write an engine set on record, then ask for its machines.

    Raises what Azure says, such as CapacityUnavailable.
    """
    file, progress = context.file, context.progress
    host_key = make_host_key()
    with edited(file) as record:
        parameters = secure_parameters(file.public_key_file.read_text(), host_key)
        template = engine_set_template(record.plan, plan)
        (request,) = requests(template, parameters, record.plan)
        before = record.cost.rate
        ends_otherwise = add_engines(record, plan, azure_now(record.endpoint))
        _note_engine_set(record, plan, request.id, host_key)
        record.secret_files.append(str(file.engine_set_parameters))
    job.submit(template)
    with edited_set(file, plan.set_id):  # else a stop that comes now would erase it before
        write_parameters(file.engine_set_parameters, parameters)
    where = f" in zone {plan.machine.zone}" if plan.machine.zone else ""
    progress.say(
        f"Requesting {plan.vm_count} x {plan.machine.vm_size}{where} for "
        f"{counted(plan.n, 'engine')}"
    )
    if record.cost.rate != before:
        progress.say(cost_now(record))
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        if ends_otherwise:
            await note_end(api, file)
        _, operation = await create_resource(api, file, request, progress)
    with edited_set(file, plan.set_id) as engine_set:
        engine_set.operation = operation
        engine_set.machines = [
            Machine("", "", plan.engines_on(index)) for index in range(plan.vm_count)
        ]
    progress.say(f"Azure has accepted {counted(plan.vm_count, 'machine')}")


def _note_engine_set(
    record: Record, plan: EngineSetPlan, scale_set_id: str, host_key: KeyPair
) -> None:
    record.engine_sets[plan.set_id] = EngineSet(
        scale_set_id=scale_set_id,
        n=plan.n,
        engines_per_vm=plan.engines_per_vm,
        vcpus=plan.vcpus,
        gpus=plan.gpus,
        host_key=host_key.public,
    )
    record.resources.append(scale_set_id)
