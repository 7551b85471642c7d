"""One ARM request on its way to the function that answers it, and what it meets there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..base import api_versions, calls, names
from ..base.calls import Call
from ..base.errors import ArmError
from ..base.messages import ArmRequest, ArmResponse
from ..compute import failures
from ..rules import locks, permissions
from ..rules.faults import Met
from ..rules.interference import Interference, planned
from ..state import Emulator
from . import preconditions, routes
from .routes import Route


@dataclass
class Passage:
    """What a request has met on its way, also when it was refused.

    met: faults, of which the front carries out what they do to the connection; headers: those that
    tell what is left of the limits.
    """

    met: Met = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Dropped(ArmError):
    """Raised to close the connection before anything is done."""

    def __init__(self) -> None:
        super().__init__(503, "ServiceUnavailable", "The connection was closed.")


async def carry_out(
    em: Emulator, route: Route, request: ArmRequest, passage: Passage
) -> ArmResponse:
    """Carry a request out: this is the one way to a handler. request.params are the route's."""
    call = calls.describe(request.method, route.template, request.path)
    if "group" in request.params:
        names.check_group(request.params["group"])
    permissions.check(request.principal, call, request.body)
    region = _region(em, call, request)
    api_versions.check(call.resource_type, request.api_version, region)
    passage.headers |= em.throttle.take_provider(call, str(region))
    passage.met = em.faults.of_request(call)
    await _before(em, call, passage.met)
    em.faults.check_visible(call)
    locks.check(em.store, call)
    preconditions.check(em, call, request)
    em.policies.check(call, request.body)
    token = planned.set(_plan(em, call, passage.met))
    try:
        answer = route.handler(em, request)
        response = answer if isinstance(answer, ArmResponse) else await answer
    finally:
        planned.reset(token)
    if "not_found" in passage.met and response.status == 201:
        em.faults.hide(call, passage.met["not_found"])
    response = preconditions.stamp(em, call, request, response)
    return em.paging.page(call, request, response)


class Router:
    """state.Router: what the rooms below the front ask of its routes."""

    def describe(self, method: str, path: str) -> Call:
        route, _ = routes.find(method, path)
        return calls.describe(method, route.template, path)

    async def answer(self, em: Emulator, request: ArmRequest) -> ArmResponse:
        route, params = routes.find(request.method, request.path)
        return await carry_out(em, route, replace(request, params=params), Passage())


def _region(em: Emulator, call: Call, request: ArmRequest) -> str | None:
    """Return the region that the request is about; None for lists of all regions."""
    found = em.store.find(call.scope)
    body = request.body if isinstance(request.body, dict) else {}
    region = found.location if found else body.get("location") or request.params.get("location")
    return str(region).replace(" ", "").lower() if region else None


async def _before(em: Emulator, call: Call, met: Met) -> None:
    if "delay" in met:
        await em.clock.wait(met["delay"].seconds("delay_s") or 0)
    if "drop" in met:
        raise Dropped
    if "refuse" in met:
        raise met["refuse"].error(call.name)


def _plan(em: Emulator, call: Call, met: Met) -> Interference | None:
    fault = met.get("fail") or met.get("never_ends")
    return failures.interference(em, fault, call.scope, call.name) if fault else None
