"""The managed identities of a VM: what of its `identity` Azure fills in."""

from __future__ import annotations

from typing import Any

from . import errors
from .arm import Json
from .state import Emulator

USER_ASSIGNED = "Microsoft.ManagedIdentity/userAssignedIdentities"


def filled_in(em: Emulator, body: Any, old: Json | None, holder_id: str) -> Json | None:
    """The identity as it is shown; a system-assigned one keeps its principal."""
    if not isinstance(body, dict) or str(body.get("type", "None")).lower() == "none":
        return None
    kinds = [kind.strip().lower() for kind in str(body["type"]).split(",")]
    shown: Json = {"type": body["type"]}
    if "systemassigned" in kinds:
        shown["principalId"] = (old or {}).get("principalId") or em.new_uuid()
        shown["tenantId"] = em.permissions.tenant_id
    if "userassigned" in kinds:
        wanted = body.get("userAssignedIdentities") or {}
        shown["userAssignedIdentities"] = {
            identifier: _shown(em, identifier, holder_id) for identifier in wanted
        }
    return shown


def _shown(em: Emulator, identifier: str, holder_id: str) -> Json:
    found = em.store.find(identifier)
    if found is None or found.type.lower() != USER_ASSIGNED.lower():
        raise errors.identity_operation_failed(identifier, holder_id)
    return {name: found.properties[name] for name in ("principalId", "clientId")}
