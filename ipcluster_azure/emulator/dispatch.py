"""One ARM request on its way to the function that answers it, and what it meets there."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import calls, failures, permissions
from .arm import ArmRequest, ArmResponse
from .calls import Call
from .errors import ArmError
from .faults import Met
from .interference import Interference, planned
from .routes import Route
from .state import Emulator


@dataclass
class Wire:
    """The faults that a request meets; what they do to the connection is the front's to do."""

    met: Met = field(default_factory=dict)


class Dropped(ArmError):
    """The connection is to be closed before anything is done."""

    def __init__(self) -> None:
        super().__init__(503, "ServiceUnavailable", "The connection was closed.")


async def carry_out(em: Emulator, route: Route, request: ArmRequest, wire: Wire) -> ArmResponse:
    """The one way to a handler. request.params are those of the route."""
    call = calls.describe(request.method, route.template, request.path)
    permissions.check(request.principal, call, request.body)
    wire.met = em.faults.of_request(call)
    await _before(em, call, wire.met)
    em.faults.check_visible(call)
    em.policies.check(call, request.body)
    token = planned.set(_plan(em, call, wire.met))
    try:
        answer = route.handler(em, request)
        response = answer if isinstance(answer, ArmResponse) else await answer
    finally:
        planned.reset(token)
    if "not_found" in wire.met and response.status == 201:
        em.faults.hide(call, wire.met["not_found"])
    return response


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
