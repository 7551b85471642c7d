"""The body of a deployment: its form, what surrounds it, and what no provider would take."""

from __future__ import annotations

from typing import Any

from . import deployment_errors as refusals
from . import errors, regions
from .arm import Json
from .deployment_views import error_of
from .errors import ArmError
from .schema import check_management
from .state import Emulator
from .store import Group
from .templates.expand import Planned
from .templates.hashing import template_hash
from .templates.plan import Plan
from .templates.scope import Surroundings
from .views import show_group

GROUPS_SHOWN_AS_OF = "2025-04-01"  # what resourceGroup() gives, whatever the deployment's version


def checked_body(body: Json) -> Json:
    found = check_management("Deployment", body)
    properties = found["properties"]
    for link in ("templateLink", "parametersLink"):
        if link in properties:
            uri = properties[link].get("uri") or properties[link].get("id")
            raise refusals.unreachable_link(uri, "00000000-0000-0000-0000-000000000000")
    if not isinstance(properties.get("template"), dict):
        raise errors.invalid_content(
            "Required property 'template' not found in JSON. Path 'properties'."
        )
    return found


def surroundings(em: Emulator, group: Group, name: str, properties: Json) -> Surroundings:
    shown = {
        "template": properties["template"],
        "templateHash": template_hash(properties["template"]),
        "parameters": properties.get("parameters") or {},
        "mode": properties["mode"],
        "provisioningState": "Accepted",
    }
    return Surroundings(
        subscription_id=em.store.subscription_id,
        tenant_id=em.permissions.tenant_id,
        group=show_group(group, GROUPS_SHOWN_AS_OF),
        deployment={"name": name, "properties": shown},
        now=em.clock.now(),
        new_uuid=em.new_uuid,
    )


def preflight(plan: Plan, name: str, tracking_id: str) -> None:
    """Refuse types that no provider here has, and regions that do not exist."""
    details: list[dict[str, Any]] = []
    for planned in plan.deployed:
        try:
            _check_served(planned)
        except ArmError as error:
            details.append(error_of(error.body()["error"]))
    if details:
        raise refusals.not_valid(name, tracking_id, details)


def _check_served(planned: Planned) -> None:
    from . import routes  # whose handlers import this module

    routes.find("PUT", planned.id)
    if planned.location is not None:
        regions.normal(planned.location, planned.type)
