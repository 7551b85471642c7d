"""The body of a deployment: its form, and what its template can see around it."""

from __future__ import annotations

from ..base import errors, regions
from ..base.messages import Json
from ..base.schema import check_management
from ..base.store import Group
from ..resources import providers
from ..resources.views import show_group
from ..rules.template_links import LINKS
from ..state import Emulator
from ..templates.hashing import template_hash
from ..templates.scope import Surroundings

GROUPS_SHOWN_AS_OF = "2025-04-01"  # what resourceGroup() gives, whatever the deployment's version


def checked_body(em: Emulator, body: Json, *, of_group: bool) -> Json:
    """Return the checked body: with a location for the subscription, without one for a group.

    Raises ARM's refusal.
    """
    found = check_management("Deployment", body)
    if of_group and "location" in found:
        raise errors.ArmError(
            400,
            "InvalidDeployment",
            "The 'location' property is not allowed for a deployment at resource group scope. "
            "Please see https://aka.ms/deploy-to-subscription for usage details.",
            headers=errors.GATEWAY,
        )
    if not of_group:
        _check_of_subscription(found)
    properties = found["properties"] = em.links.resolve(found["properties"], em.new_uuid())
    if not isinstance(properties.get("template"), dict):
        raise errors.invalid_content(
            "Required property 'template' not found in JSON. Path 'properties'."
        )
    return found


def _check_of_subscription(body: Json) -> None:
    if not body.get("location"):
        raise errors.ArmError(
            400,
            "LocationRequired",
            "The location property is required for this deployment. Please see "
            "https://aka.ms/deploy-to-subscription for usage details.",
            headers=errors.GATEWAY,
        )
    body["location"] = regions.normal(body["location"], "Microsoft.Resources/deployments")
    if body["properties"]["mode"] == "Complete":
        raise errors.ArmError(
            400,
            "InvalidDeployment",
            "The deployment mode 'Complete' is not supported for a deployment at subscription "
            "scope. Please see https://aka.ms/deploy-to-subscription for usage details.",
            headers=errors.GATEWAY,
        )


def surroundings(
    em: Emulator, group: Group, name: str, properties: Json, deployer_id: str
) -> Surroundings:
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
        group=show_group(group, GROUPS_SHOWN_AS_OF) if group.name else {},
        deployment={"name": name, "properties": shown},
        now=em.clock.now(),
        new_uuid=em.new_uuid,
        deployer_id=deployer_id,
        resource_types=providers.resource_types,
    )


def shown_links(properties: Json) -> Json:
    """Return the links as a deployment shows them, the template's with its version (recorded)."""
    found = {link: properties[link] for link in LINKS if link in properties}
    if "templateLink" in found:
        version = str(properties["template"].get("contentVersion", "1.0.0.0"))
        found["templateLink"] = {"contentVersion": version, **found["templateLink"]}
    return found
