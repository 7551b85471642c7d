"""When Azure has no room for the controller's machine: the next size or zone."""

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import AzureLauncherError
from ..plan.arm_template import PUBLIC_IP, Json, controller_template
from ..plan.cluster_plan import ClusterPlan
from ..plan.requests import ResourceRequest, requests
from ..progress import Progress
from ..record.abort import require_alive
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import gone
from .provision import controller_addresses, create_all
from .request import parameter_file_of
from .self_deletion import allow_self_deletion

GONE_TIMEOUT_S = 300.0  # recorded: 46 s by force, nine of ten without it less than 136 s
NIC_GONE_TIMEOUT_S = 20.0


async def place_again(
    api: AzureApi, file: RecordFile, progress: Progress, why: AzureLauncherError
) -> None:
    """Ask for the controller's machine in the next place on record; raises `why` if there is none.

    Its failed machine is deleted; network and addresses are kept.
    """
    record = require_alive(file)
    controller, old = record.controller, record.plan
    if not controller.alternatives:
        raise why
    size = controller.alternatives[0]
    progress.log.warning("%s", why)
    progress.say(f"Trying {size} for the controller")
    plan = replace(old, machine=replace(old.machine, vm_size=size.name, zone=size.zone))
    planned = _planned(Path(controller.job_file), plan)
    *network, nic, vm = planned
    with file.edit() as record:
        record.plan, record.controller.alternatives = plan, controller.alternatives[1:]
    await _remove(api, file, nic, vm)
    answers = await create_all(api, file, [nic, vm], lambda: None, progress)
    for request in network:
        if request.type == PUBLIC_IP:
            answers[request.id] = await bridge(api.get, request)
    note_controller(file, plan, vm, answers)
    await allow_self_deletion(api, file, progress)


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
            f"Azure has not deleted {vm.name} within {GONE_TIMEOUT_S:.0f} s, so that it can't be "
            "asked for elsewhere. Run `ipcluster start` again."
        )
    await gone(functools.partial(exists, nic.id), NIC_GONE_TIMEOUT_S)


def _planned(job_file: Path, plan: ClusterPlan) -> list[ResourceRequest]:
    """The requests of a new job file, with the keys that the first one had."""
    template = controller_template(plan)
    job_file.write_text(json.dumps(template, indent=2), encoding="utf-8")
    parameters = json.loads(parameter_file_of(job_file).read_text(encoding="utf-8"))
    values = {name: item["value"] for name, item in parameters["parameters"].items()}
    return requests(template, values, plan)


def note_controller(
    file: RecordFile, plan: ClusterPlan, vm: ResourceRequest, answers: Mapping[str, Json]
) -> None:
    """Write down where Azure has put the controller's machine."""
    host, address = controller_addresses(plan, answers)
    with file.edit() as record:
        controller = record.controller
        controller.vm_id, controller.host, controller.address = vm.id, host, address
        controller.operation = answers[vm.id]["operation"]
        controller.principal_id = (answers[vm.id].get("identity") or {}).get("principalId", "")
