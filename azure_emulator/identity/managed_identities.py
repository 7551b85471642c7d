"""Managed identities: userAssignedIdentities, and what a machine shows of its own."""

from __future__ import annotations

from ..base import names, provider_errors
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import IDENTITY
from ..base.schema import check_management, write_to
from ..base.store import Resource
from ..resources.views import show
from ..state import Emulator, merged_tags


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_identity(name)
    existing = em.store.lookup(group.name, IDENTITY, name)
    body = check_management("Identity", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
        existing.tags = body.get("tags") or {}
        return ArmResponse(200, show(em, existing, request.api_version))
    identity = em.new_resource(group, IDENTITY, name, body)
    identity.tags = body.get("tags") or {}
    identity.properties = {
        "tenantId": em.permissions.tenant_id,
        "principalId": em.new_uuid(),
        "clientId": em.new_uuid(),
    }
    em.store.add(identity)
    return ArmResponse(201, show(em, identity, request.api_version), {"Location": identity.id})


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    identity = em.store.get(request.params["group"], IDENTITY, request.params["name"])
    body = check_management("IdentityUpdate", request.json_object(), "patch")
    identity.tags = merged_tags(body, identity.tags)
    return ArmResponse(200, show(em, identity, request.api_version))


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.group(request.params["group"])
    identity = em.store.lookup(group.name, IDENTITY, request.params["name"])
    if identity is None:
        return ArmResponse(204)
    em.store.remove(identity)
    return ArmResponse(200)


def list_associated(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer POST .../listAssociatedResources: what has this identity, such as a machine."""
    identity = em.store.get(request.params["group"], IDENTITY, request.params["name"])
    found = []
    for group in em.store.groups():
        for resource in group.resources.values():
            held = (resource.top.get("identity") or {}).get("userAssignedIdentities") or {}
            if identity.key in {name.lower() for name in held}:
                found.append(
                    {
                        "id": resource.id,
                        "name": resource.name,
                        "type": resource.type.lower(),
                        "resourceGroup": group.name.lower(),
                        "subscriptionId": em.store.subscription_id,
                        "subscriptionDisplayName": "ipcluster-azure emulator",
                    }
                )
    return ArmResponse(200, {"totalCount": len(found), "value": found})


def set_identity(em: Emulator, machine: Resource, given: Json | None) -> None:
    """Change what the machine shows as its identity; one that is given as null is taken away."""
    if given is None:
        return
    old = machine.top.pop("identity", {})
    kind = given.get("type") or old.get("type", "None")
    if kind == "None":
        return
    shown: Json = {"type": kind}
    if "SystemAssigned" in kind:
        shown["principalId"] = old.get("principalId") or em.new_uuid()
        shown["tenantId"] = em.permissions.tenant_id
    held = dict(old.get("userAssignedIdentities", {})) if "UserAssigned" in kind else {}
    for identifier, item in (given.get("userAssignedIdentities") or {}).items():
        held.pop(identifier, None)
        if item is not None:
            held[identifier] = _principal(em, identifier, machine.id)
    if "UserAssigned" in kind and not held and "identityIds" not in given:
        raise provider_errors.identity_missing(machine.id)
    if held:
        shown["userAssignedIdentities"] = held
    if "identityIds" in given:  # of the oldest api-versions
        shown["identityIds"] = given["identityIds"]
    machine.top["identity"] = shown


def _principal(em: Emulator, identifier: str, holder_id: str) -> Json:
    """Return an identity's members; one of another subscription is believed."""
    found = em.store.find(identifier)
    if found is not None and found.type == IDENTITY:
        return {name: found.properties[name] for name in ("principalId", "clientId")}
    if identifier.lower().startswith(f"/subscriptions/{em.store.subscription_id}/"):
        raise provider_errors.identity_operation_failed(identifier, holder_id)
    return {"principalId": em.new_uuid(), "clientId": em.new_uuid()}
