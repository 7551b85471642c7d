"""What Azure finds out about a template before it makes anything: who may, policies, quotas."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..base import regions, skus
from ..base.calls import Call
from ..base.errors import ArmError
from ..base.messages import Json
from ..base.principals import Principal
from ..base.resource_types import SCALE_SET, VM
from ..compute import quota
from ..state import Emulator
from ..templates.expand import Planned
from ..templates.plan import Plan
from ..templates.values import is_known
from . import errors as refusals
from .views import error_of


def preflight(em: Emulator, principal: Principal, plan: Plan, name: str) -> None:
    """Raise InvalidTemplateDeployment if Azure would refuse the plan before it makes anything."""
    served: dict[Planned, Call] = {}
    details: list[Json] = []
    for planned in plan.deployed:
        try:
            served[planned] = _served(em, planned)
        except ArmError as error:
            details.append(error_of(error.body()["error"]))
    if details:
        raise refusals.not_valid(name, em.new_uuid(), details)
    _check_access(principal, served)
    _check_policies(em, served)
    details = _beyond_quota(em, plan.deployed)
    if details:
        raise refusals.not_valid(name, em.new_uuid(), details)


def _served(em: Emulator, planned: Planned) -> Call:
    """Return what its creation does; refuse types nobody serves and regions that don't exist."""
    call = em.router.describe("PUT", planned.id)
    if planned.location is not None:
        regions.normal(planned.location, planned.type)
    return call


def _check_access(principal: Principal, served: dict[Planned, Call]) -> None:
    missing = [
        (planned.name, planned.type, call.action, call.scope)
        for planned, call in served.items()
        if not principal.may(call.action, call.scope)
    ]
    if missing:
        raise refusals.unauthorized(principal.object_id, missing)


def _check_policies(em: Emulator, served: dict[Planned, Call]) -> None:
    """Ask the policies about bodies that are known; others are checked when they are sent."""
    details: list[Json] = []
    for planned, call in served.items():
        if is_known(planned.draft):
            try:
                em.policies.check(call, planned.draft)
            except ArmError as error:
                details.append({"target": planned.name, **error_of(error.body()["error"])})
    if details:
        raise refusals.violates_policies(details)


def _beyond_quota(em: Emulator, resources: list[Planned]) -> list[Json]:
    """Return a detail for each quota that the machines to be made would exceed."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    for planned in resources:
        if planned.location and em.store.find(planned.id) is None:
            vm_size, priority, count = _machines(planned)
            wanted[planned.location.replace(" ", "").lower(), vm_size, priority] += count
    details: list[Json] = []
    for (location, name, priority), count in wanted.items():
        size = skus.find(name)
        if size is None or not count:
            continue
        try:
            quota.check(em, location, size, count, priority)
        except ArmError as error:
            details.append({**error_of(error.body()["error"]), "code": "QuotaExceeded"})
    return details


def _machines(planned: Planned) -> tuple[str, str, int]:
    """Return (size, priority, how many) of what a planned resource needs."""
    properties = _member(planned.draft, "properties")
    kind = planned.type.lower()
    if kind == VM.lower():
        size = _member(properties, "hardwareProfile").get("vmSize")
        return str(size), str(properties.get("priority")), 1
    if kind == SCALE_SET.lower():
        sku = _member(planned.draft, "sku")
        capacity = sku.get("capacity")
        profile = _member(properties, "virtualMachineProfile")
        count = capacity if type(capacity) is int else 0
        return str(sku.get("name")), str(profile.get("priority")), max(0, count)
    return "", "", 0


def _member(owner: Any, name: str) -> Json:
    found = owner.get(name) if isinstance(owner, dict) else None
    return found if isinstance(found, dict) else {}
