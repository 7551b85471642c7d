"""Microsoft.ManagedIdentity/userAssignedIdentities: made and deleted at once."""

from __future__ import annotations

from . import names, schemas_network
from .arm import ArmRequest, ArmResponse
from .schema import Shape, check_compute
from .state import Emulator
from .views import IDENTITY, show

BODY = Shape("Identity", {**schemas_network.TOP, "properties~": "any"})


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_identity(name)
    body = check_compute(BODY, request.json_object())
    existing = em.store.lookup(group.name, IDENTITY, name)
    if existing:
        em.check_same_location(existing, body)
        existing.tags = body.get("tags") or {}
        return ArmResponse(200, show(em, existing))
    identity = em.new_resource(group, IDENTITY, name, body)
    identity.tags = body.get("tags") or {}
    identity.properties = {
        "tenantId": em.store.tenant_id,
        "principalId": em.new_uuid(),
        "clientId": em.new_uuid(),
    }
    em.store.add(identity)
    return ArmResponse(201, show(em, identity), {"Location": identity.id})


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.group(request.params["group"])
    identity = em.store.lookup(group.name, IDENTITY, request.params["name"])
    if identity is None:
        return ArmResponse(204)
    em.store.remove(identity)
    return ArmResponse(200)
