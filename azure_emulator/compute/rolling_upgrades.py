"""Rolling upgrades of a scale set, and the services that look after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import SCALE_SET
from ..base.store import Resource
from ..base.timestamps import compute_timestamp
from ..state import Emulator
from . import vm_lifecycle
from .compute_answers import begin
from .scale_set_model import ROLLING_UPGRADES

ACTIONS = ("Suspend", "Resume")


@dataclass
class Upgrade:
    """The latest upgrade of a scale set; code: RollingForward, Completed or Cancelled."""

    vms: list[Resource]
    started: datetime
    acted: datetime
    action: str = "Start"
    code: str = "RollingForward"


def _set(em: Emulator, request: ArmRequest) -> Resource:
    em.store.writable_group(request.params["group"])
    return em.store.get(request.params["group"], SCALE_SET, request.params["name"])


def start(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Upgrade the image or the extensions, with no time between the batches."""
    scale_set = _set(em, request)
    vms = vm_lifecycle.vms_of(em, scale_set.key, scale_set.group)
    upgrade = Upgrade(vms, em.clock.now(), em.clock.now())
    scale_set.hidden["upgrade"] = upgrade

    async def finish() -> None:
        if upgrade.code != "RollingForward":
            return
        for vm in vms:
            vm.hidden["model"] = scale_set.hidden.get("model", 0)
        upgrade.code = "Completed"

    duration_s = em.durations.draw("vm_update")
    return begin(em, request, scale_set.location, finish, duration_s=duration_s, charge=0)


def latest(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    upgrade = _latest(scale_set)
    running = upgrade.code == "RollingForward"
    done = upgrade.code == "Completed"
    policy = (scale_set.properties.get("upgradePolicy") or {}).get("rollingUpgradePolicy") or {}
    properties: Json = {
        "policy": {**ROLLING_UPGRADES, **policy},
        "runningStatus": {
            "lastAction": upgrade.action,
            "lastActionTime": compute_timestamp(upgrade.acted),
            "code": upgrade.code,
            "startTime": compute_timestamp(upgrade.started),
        },
        "progress": {
            "successfulInstanceCount": len(upgrade.vms) if done else 0,
            "failedInstanceCount": 0,
            "inProgressInstanceCount": len(upgrade.vms) if running else 0,
            "pendingInstanceCount": 0,
        },
    }
    kind = f"{SCALE_SET}/rollingUpgrades"
    return ArmResponse(
        200, {"type": kind, "location": scale_set.location, "properties": properties}
    )


def _latest(scale_set: Resource) -> Upgrade:
    found = scale_set.hidden.get("upgrade")
    if not isinstance(found, Upgrade):
        message = f"No rolling upgrade of scale set '{scale_set.name}' was found."
        raise errors.ArmError(404, "NotFound", message)
    return found


def cancel(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Cancel the upgrade; machines that have been upgraded stay so."""
    scale_set = _set(em, request)
    upgrade = _latest(scale_set)
    if upgrade.code != "RollingForward":
        raise errors.operation_not_allowed(
            f"Scale set '{scale_set.name}' has no rolling upgrade that could be cancelled."
        )
    upgrade.action, upgrade.code, upgrade.acted = "Cancel", "Cancelled", em.clock.now()
    return begin(em, request, scale_set.location, _nothing, charge=0)


async def _nothing() -> None:
    return


def set_service_state(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Accept that automatic repairs are suspended or resumed; none are made here."""
    scale_set = _set(em, request)
    body = request.json_object()
    for name in ("serviceName", "action"):
        if not body.get(name):
            raise errors.missing_parameter(name)
    if body["action"] not in ACTIONS:
        raise errors.invalid_parameter(
            "action", f"The value '{body['action']}' of parameter 'action' is not valid."
        )
    return begin(em, request, scale_set.location, _nothing, charge=0)
