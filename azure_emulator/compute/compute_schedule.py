"""Microsoft.ComputeSchedule: machines that are deallocated at a time given beforehand.

After the service's published REST interface; no exchange with it was recorded. Of its operations
this is the one that needs nobody to be there when the time has come.
"""

from __future__ import annotations

import contextlib
import weakref
from datetime import datetime, timezone

from ..base.errors import ArmError, invalid_parameter
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import VM
from ..base.store import Resource
from ..resources.providers import registered
from ..state import Emulator
from . import vm_lifecycle

NAMESPACE = "Microsoft.ComputeSchedule"
REQUIRED = ("schedule", "executionParameters", "resources", "correlationid")


def _submit_deallocate(em: Emulator, request: ArmRequest) -> ArmResponse:
    body = request.json_object()
    for name in REQUIRED:
        if name not in body:
            raise invalid_parameter(name, f"Required parameter '{name}' is missing.")
    deadline = _deadline(body["schedule"])
    identifiers = body["resources"].get("ids") if isinstance(body["resources"], dict) else None
    if not isinstance(identifiers, list) or not identifiers:
        raise invalid_parameter("resources.ids", "At least one resource id is needed.")
    location = request.params["location"].lower()
    results = [_one(em, str(item), location, deadline, body) for item in identifiers]
    return ArmResponse(
        200,
        {
            "description": "Deallocate Resource request",
            "type": "VirtualMachines",
            "location": location,
            "results": results,
        },
    )


submit_deallocate = registered(f"{NAMESPACE}/locations", _submit_deallocate)


def _deadline(schedule: Json) -> datetime:
    text = schedule.get("deadline") or schedule.get("userRequestDeadline")
    if schedule.get("deadlineType") != "InitiateAt" or not isinstance(text, str):
        raise invalid_parameter("schedule", "A deadline of type InitiateAt is needed.")
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise invalid_parameter("schedule.deadline", f"'{text}' is not a time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _one(em: Emulator, identifier: str, location: str, deadline: datetime, body: Json) -> Json:
    vm = em.store.find(identifier)
    if vm is None or vm.type != VM or vm.location != location:
        return {
            "resourceId": identifier,
            "errorCode": "ResourceNotFound",
            "errorDetails": f"The resource '{identifier}' was not found in {location}.",
        }
    em.operations.spawn(_deallocate_at(em, weakref.ref(vm), deadline))
    operation = {
        "operationId": em.new_uuid(),
        "resourceId": identifier,
        "opType": "Deallocate",
        "subscriptionId": em.store.subscription_id,
        "deadline": deadline.isoformat(),
        "deadlineType": "InitiateAt",
        "state": "PendingScheduling",
        "timezone": body["schedule"].get("timezone", "UTC"),
    }
    return {"resourceId": identifier, "operation": operation}


async def _deallocate_at(
    em: Emulator, reference: weakref.ref[Resource], deadline: datetime
) -> None:
    await em.clock.wait(max(0.0, (deadline - em.clock.now()).total_seconds()))
    vm = reference()
    if vm is None or em.store.find(vm.id) is not vm or vm.deleting:
        return
    with contextlib.suppress(ArmError):  # a deletion was quicker
        await vm_lifecycle.change_power(em, vm, "deallocated")
