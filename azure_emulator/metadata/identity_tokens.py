"""Tokens for the identities of a VM: /metadata/identity/oauth2/token."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ..base.messages import Json
from ..base.store import Resource
from ..identity import roles
from ..state import Emulator

LIFETIME_S = 86_400  # Azure's, for managed identities
SELECTORS = ("client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id")


class TokenRefused(Exception):
    """Raised with Azure's reason for giving no token."""


@dataclass(frozen=True)
class Identity:
    """One identity of a VM; resource_id: a user-assigned one's own, else the VM's."""

    client_id: str
    principal_id: str
    resource_id: str

    def is_called(self, selector: str, value: str) -> bool:
        name = {
            "client_id": self.client_id,
            "object_id": self.principal_id,
            "principal_id": self.principal_id,
        }.get(selector, self.resource_id)
        return name.lower() == value.lower()


def token(em: Emulator, vm: Resource, query: Mapping[str, str]) -> Json:
    """Return the body of Azure's answer; raises TokenRefused."""
    if not query.get("api-version"):
        raise TokenRefused("Required query variable 'api-version' is missing")
    resource = query.get("resource")
    if not resource:
        raise TokenRefused("Required query variable 'resource' is missing")
    identity = _chosen(assigned(em, vm), query)
    now = em.clock.now()
    expires = now + timedelta(seconds=LIFETIME_S)
    issued = em.permissions.issuer.of_identity(
        identity.principal_id,
        resource,
        now,
        expires,
        client_id=identity.client_id,
        resource_id=identity.resource_id,
    )
    em.permissions.register(issued, roles.holder(em, identity.principal_id, expires))
    return {
        "access_token": issued,
        "client_id": identity.client_id,
        "expires_in": str(LIFETIME_S),
        "expires_on": str(int(expires.timestamp())),
        "ext_expires_in": str(LIFETIME_S),
        "not_before": str(int(now.timestamp())),
        "resource": resource,
        "token_type": "Bearer",
    }


def assigned(em: Emulator, vm: Resource) -> list[Identity]:
    """Return the VM's identities: the system's first, then the user-assigned ones that exist."""
    body = vm.top.get("identity")
    body = body if isinstance(body, dict) else {}
    found = []
    if "principalId" in body:
        found.append(Identity(system_client_id(body["principalId"]), body["principalId"], vm.id))
    for identifier in body.get("userAssignedIdentities") or {}:
        resource = em.store.find(identifier)
        if resource:
            properties = resource.properties
            found.append(Identity(properties["clientId"], properties["principalId"], resource.id))
    return found


def system_client_id(principal_id: str) -> str:
    """Return the application id of a system-assigned identity, which only tokens show."""
    return str(uuid.uuid5(uuid.UUID(principal_id), "application"))


def _chosen(identities: list[Identity], query: Mapping[str, str]) -> Identity:
    given = [(name, query[name]) for name in SELECTORS if query.get(name)]
    if given:
        found = [item for item in identities if item.is_called(*given[0])]
    else:
        own = [
            item
            for item in identities
            if "/userassignedidentities/" not in item.resource_id.lower()
        ]
        found = own or identities
    if not found:
        raise TokenRefused("Identity not found")
    if len(found) > 1:
        raise TokenRefused(
            "Multiple user assigned identities exist, please specify the clientId / resourceId of "
            "the identity in the token request"
        )
    return found[0]
