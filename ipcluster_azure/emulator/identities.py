"""Managed identities of machines: Azure adds the principals to what a request asks for."""

from __future__ import annotations

from .arm import Json
from .state import Emulator


def with_principals(em: Emulator, given: Json) -> Json:
    """As shown. An identity that is given as null is taken away."""
    shown = dict(given)
    if "SystemAssigned" in str(given.get("type")):
        shown |= {"principalId": em.new_uuid(), "tenantId": em.tenant_id}
    if "userAssignedIdentities" in given:
        shown["userAssignedIdentities"] = {
            identifier: {"principalId": em.new_uuid(), "clientId": em.new_uuid()}
            for identifier, item in given["userAssignedIdentities"].items()
            if item is not None
        }
    return shown
