"""Deployments and their operations as ARM shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..base import versions
from ..base.timestamps import arm_timestamp
from ..templates.expand import Planned
from ..templates.hashing import template_hash
from .record import Deployment, Json, Step

TYPE = "Microsoft.Resources/deployments"


def show(deployment: Deployment, api_version: str) -> Json:
    body: Json = {"id": deployment.id, "name": deployment.name, "type": TYPE}
    if "/resourcegroups/" not in deployment.id.lower():
        body["location"] = deployment.location
    if deployment.tags is not None:
        body["tags"] = deployment.tags
    properties = _properties(deployment)
    if deployment.outputs:
        properties["outputs"] = deployment.outputs
    if deployment.state == "Succeeded":
        properties["outputResources"] = _ids(deployment)
    if deployment.error is not None:
        properties["error"] = deployment.error
    return versions.shown(TYPE, api_version, body | {"properties": properties})


def show_valid(deployment: Deployment) -> Json:
    """Return the answer to validate."""
    properties = _properties(deployment) | {"provisioningState": "Succeeded", "duration": "PT0S"}
    properties["validatedResources"] = _ids(deployment)
    return {
        "id": deployment.id,
        "name": deployment.name,
        "type": TYPE,
        "properties": properties,
    }


def _properties(deployment: Deployment) -> Json:
    plan = deployment.plan
    properties: Json = {**deployment.links, "templateHash": template_hash(plan.template)}
    parameters = plan.parameters.shown()
    if parameters:
        properties["parameters"] = parameters
    return properties | {
        "mode": deployment.mode,
        "provisioningState": deployment.state,
        "timestamp": arm_timestamp(deployment.changed),
        "duration": duration(deployment.changed - deployment.started),
        "correlationId": deployment.correlation_id,
        "providers": _providers(plan.deployed),
        "dependencies": [_dependency(planned) for planned in plan.deployed if planned.after],
    }


def _ids(deployment: Deployment) -> list[Json]:
    ids = sorted(planned.id for planned in deployment.plan.deployed)
    return [{"id": identifier} for identifier in ids]


def _providers(resources: list[Planned]) -> list[Json]:
    """Return the namespaces with their types, each with the regions it is wanted in."""
    found: dict[str, dict[str, list[str | None]]] = {}
    for planned in resources:
        namespace, kind = planned.type.split("/", 1)
        regions = found.setdefault(namespace, {}).setdefault(kind, [])
        region = planned.location and planned.location.replace(" ", "").lower()
        if region not in regions:
            regions.append(region)
    return [
        {
            "namespace": namespace,
            "resourceTypes": [
                {"resourceType": kind, "locations": regions} for kind, regions in kinds.items()
            ],
        }
        for namespace, kinds in found.items()
    ]


def _dependency(planned: Planned) -> Json:
    return {"dependsOn": [_target(other) for other in planned.after], **_target(planned)}


def _target(planned: Planned) -> Json:
    return {"id": planned.id, "resourceType": planned.type, "resourceName": planned.name}


def show_step(deployment: Deployment, step: Step) -> Json:
    properties: Json = {
        "provisioningOperation": step.kind,
        "provisioningState": step.state,
        "timestamp": arm_timestamp(step.changed),
        "duration": duration(step.changed - step.started),
        "trackingId": step.tracking_id,
    }
    if step.service_request_id:
        properties["serviceRequestId"] = step.service_request_id
    properties["statusCode"] = step.status_code
    if step.message is not None:
        properties["statusMessage"] = step.message
    if step.target is not None:
        properties["targetResource"] = _target(step.target)
    return {
        "id": f"{deployment.id}/operations/{step.id}",
        "operationId": step.id,
        "properties": properties,
    }


def show_status(deployment: Deployment) -> Json:
    """Return what the deployment's Azure-AsyncOperation answers."""
    body: Json = {"status": deployment.state}
    if deployment.error is not None:
        body["error"] = deployment.error
    return body


def duration(length: timedelta) -> str:
    """Return the length in the form of ISO 8601 that .NET writes."""
    seconds = max(0.0, length.total_seconds())
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = f"{int(hours)}H" if hours else ""
    parts += f"{int(minutes)}M" if minutes else ""
    return f"PT{parts}{rest:.7f}".rstrip("0").rstrip(".") + "S"


def error_of(body: Any) -> Json:
    """Return an error as one of `details`, where the target is left out (recorded)."""
    shown = ("code", "message", "details", "additionalInfo")
    return {key: body[key] for key in shown if body.get(key)}
