"""Microsoft.Resources/deployments: requests on those of a group, or of the subscription."""

from __future__ import annotations

import re

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.store import Group
from ..state import Emulator
from ..subscription.groups import result_headers
from ..templates.plan import Plan
from . import errors as refusals
from . import views
from .body import checked_body, shown_links, surroundings
from .preflight import preflight
from .record import Deployment, of_group
from .run import Run

STATE_FILTER = re.compile(r"\s*provisioningState\s+eq\s+'(?P<state>\w+)'\s*", re.IGNORECASE)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = place(em, request, writable=True)
    deployment = planned_deployment(em, request, group)
    deployments = of_group(group)
    existing = deployments.get(deployment.name.lower())
    if existing and existing.active:
        raise refusals.active(existing)
    deployments.pop(deployment.name.lower(), None)  # the newest is the last
    deployments[deployment.name.lower()] = deployment
    deployment.operation = em.operations.start(
        "Microsoft.Resources",
        deployment.location,
        em.durations.draw("deployment"),
        Run(em, request, group, deployment).finish,
        identifier=f"{int(em.new_hex(15), 16) % 10**18:020d}",
    )
    url = f"{request.base_url}{deployment.id}/operationStatuses/{deployment.operation.id}"
    headers = {"Azure-AsyncOperation": f"{url}?api-version={request.api_version}"}
    return ArmResponse(
        200 if existing else 201, views.show(deployment, request.api_version), headers
    )


def validate(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = place(em, request, writable=True)
    return ArmResponse(200, views.show_valid(planned_deployment(em, request, group)))


def place(em: Emulator, request: ArmRequest, *, writable: bool = False) -> Group:
    """Return the group that holds the path's deployments, or what holds the subscription's."""
    if "group" not in request.params:
        return em.store.root
    return (em.store.writable_group if writable else em.store.group)(request.params["group"])


def planned_deployment(em: Emulator, request: ArmRequest, group: Group) -> Deployment:
    """Return a deployment of the request's template, checked as a whole; nothing is made yet."""
    started = em.clock.now()
    name = refusals.checked_name(request.params["name"])
    body = checked_body(em, _without_settings(request.json_object()), of_group=bool(group.name))
    properties: Json = body["properties"]
    try:
        around = surroundings(em, group, name, properties, request.principal.object_id)
        plan = Plan(properties["template"], properties.get("parameters"), around)
    except RecursionError:
        raise refusals.too_deep() from None
    preflight(em, request.principal, plan, name)
    return Deployment(
        id=f"{group.id}/providers/{views.TYPE}/{name}",
        name=name,
        plan=plan,
        mode=properties["mode"],
        correlation_id=em.new_uuid(),
        started=started,
        changed=em.clock.now(),
        location=body.get("location") or group.location,
        tags=body.get("tags"),
        links=shown_links(properties),
    )


def _without_settings(body: Json) -> Json:
    """Return the body without what only whatIf takes."""
    properties = body.get("properties")
    if not isinstance(properties, dict) or "whatIfSettings" not in properties:
        return body
    kept = {name: item for name, item in properties.items() if name != "whatIfSettings"}
    return {**body, "properties": kept}


def _found(em: Emulator, request: ArmRequest) -> Deployment:
    group = place(em, request)
    found = of_group(group).get(request.params["name"].lower())
    if found is None:
        raise refusals.not_found(request.params["name"])
    return found


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    deployment = _found(em, request)
    headers = {"Retry-After": em.operations.retry_after(5)} if deployment.active else {}
    return ArmResponse(200, views.show(deployment, request.api_version), headers)


def head(em: Emulator, request: ArmRequest) -> ArmResponse:
    _found(em, request)
    return ArmResponse(204)


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the deployments, the newest first."""
    group = place(em, request)
    found = list(of_group(group).values())[::-1]
    wanted = request.query.get("$filter")
    if wanted:
        match = STATE_FILTER.fullmatch(wanted)
        if match is None:
            raise errors.ArmError(
                400,
                "InvalidFilterInQueryString",
                f"Invalid $filter '{wanted}' specified in the query.",
            )
        found = [item for item in found if item.state.lower() == match["state"].lower()]
    top = request.query.get("$top", "")
    return page(
        [
            views.show(item, request.api_version)
            for item in (found[: int(top)] if top.isdecimal() else found)
        ]
    )


async def get_status(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer a deployment's Azure-AsyncOperation, which must be that of the last of its name."""
    deployment = _found(em, request)
    operation = deployment.operation
    if operation is None or operation.id != request.params["operation"]:
        raise refusals.operation_not_found(request.params["operation"])
    await em.operations.settle(operation)
    return ArmResponse(200, views.show_status(deployment))


def list_operations(em: Emulator, request: ArmRequest) -> ArmResponse:
    deployment = _found(em, request)
    return page([views.show_step(deployment, step) for step in deployment.steps])


def get_operation(em: Emulator, request: ArmRequest) -> ArmResponse:
    deployment = _found(em, request)
    for step in deployment.steps:
        if step.id.lower() == request.params["operation"].lower():
            return ArmResponse(200, views.show_step(deployment, step))
    raise refusals.operation_not_found(request.params["operation"])


def cancel(em: Emulator, request: ArmRequest) -> ArmResponse:
    deployment = _found(em, request)
    if not deployment.active:
        raise refusals.not_cancellable(deployment)
    deployment.become("Canceled", em.clock.now())
    deployment.stop.set()
    return ArmResponse(204)


def export_template(em: Emulator, request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, {"template": _found(em, request).plan.template})


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Delete the record of the deployment alone; what it made stays."""
    group = place(em, request)
    deployments = of_group(group)
    deployment = deployments.get(request.params["name"].lower())
    if deployment is None:
        return ArmResponse(204)
    if deployment.active:
        raise refusals.active(deployment)

    async def finish() -> None:
        if deployments.get(deployment.name.lower()) is deployment:
            del deployments[deployment.name.lower()]

    operation = em.operations.start(
        "Microsoft.Resources", deployment.location, 0.0, finish, monitor_status=204
    )
    return ArmResponse(202, None, result_headers(em, request, operation))
