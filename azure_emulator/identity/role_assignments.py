"""Microsoft.Authorization/roleAssignments of a subscription, a group or a resource."""

from __future__ import annotations

import re
import uuid
from typing import Any

from ..base.errors import GATEWAY, ArmError
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import IDENTITY, ROLE_ASSIGNMENT
from ..base.schema import check_management
from ..base.store import Extension
from ..base.timestamps import arm_timestamp
from ..state import Emulator
from . import scopes

ROLE = re.compile(
    r"(/subscriptions/[^/]+)?/providers/Microsoft\.Authorization/roleDefinitions/(?P<id>[^/]+)",
    re.IGNORECASE,
)
FIXED = ("roleDefinitionId", "principalId")
# Templates do send a scope; Azure takes the one of the path (Ray's template, for example).
FILLED_IN = ("scope", "createdOn", "updatedOn", "createdBy", "updatedBy")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    scope = scopes.of_request(em, request, writable=True)
    name = _guid(request.params["assignment"], "InvalidRoleAssignmentId", "role assignment ID")
    properties = check_management("RoleAssignmentCreateParameters", request.json_object())[
        "properties"
    ]
    _check_role(properties["roleDefinitionId"])
    _guid(properties["principalId"], "InvalidPrincipalId", "principal ID")
    identifier = f"{scope}/providers/{ROLE_ASSIGNMENT}/{name}"
    existing = em.store.extensions.get(identifier.lower())
    if existing:
        return _again(em, existing, properties)
    _check_principal(em, properties)
    _check_new(em, scope, properties)
    moment = arm_timestamp(em.clock.now())
    assignment = Extension(
        type=ROLE_ASSIGNMENT,
        id=identifier,
        name=name,
        properties={
            "principalType": "ServicePrincipal",
            **{name: value for name, value in properties.items() if name not in FILLED_IN},
            "scope": scope,
            "createdOn": moment,
            "updatedOn": moment,
            "createdBy": None,
            "updatedBy": request.principal.object_id,
        },
    )
    em.store.extensions[assignment.key] = assignment
    return ArmResponse(201, _shown(assignment))


def _again(em: Emulator, existing: Extension, properties: Json) -> ArmResponse:
    """Answer a second PUT: the same is allowed, another role or principal is not."""
    if any(properties[name].lower() != existing.properties[name].lower() for name in FIXED):
        raise ArmError(
            400,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    existing.properties |= {
        **{name: value for name, value in properties.items() if name not in FILLED_IN},
        "updatedOn": arm_timestamp(em.clock.now()),
    }
    return ArmResponse(200, _shown(existing))


def _check_role(identifier: str) -> None:
    match = ROLE.fullmatch(identifier)
    if match is None:
        raise ArmError(
            400, "InvalidRoleDefinitionId", f"The role definition ID '{identifier}' is not valid."
        )
    _guid(match["id"], "InvalidRoleDefinitionId", "role definition ID")


def _check_principal(em: Emulator, properties: Json) -> None:
    """Refuse a principal that doesn't exist; Azure looks only if its type is not given."""
    principal = properties["principalId"].lower()
    if "principalType" in properties or principal in _principals(em):
        return
    raise ArmError(
        400,
        "PrincipalNotFound",
        f"Principal {principal.replace('-', '')} does not exist in the directory "
        f"{em.permissions.tenant_id}.",
    )


def _principals(em: Emulator) -> set[str]:
    """Return the principals of all identities: those of their own, and those of machines."""
    found: set[str] = set()
    for group in em.store.groups():
        for resource in group.resources.values():
            holder: Any = resource.properties
            if resource.type != IDENTITY:
                holder = resource.top.get("identity")
            if isinstance(holder, dict) and isinstance(holder.get("principalId"), str):
                found.add(holder["principalId"].lower())
    return found


def _check_new(em: Emulator, scope: str, properties: Json) -> None:
    wanted = {"scope": scope, **{name: properties[name] for name in FIXED}}
    for other in _all(em):
        if all(other.properties[name].lower() == wanted[name].lower() for name in wanted):
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    found = _find(em, request)
    if found is None:
        raise ArmError(
            404,
            "RoleAssignmentNotFound",
            f"The role assignment '{request.params['assignment']}' is not found.",
        )
    return ArmResponse(200, _shown(found))


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    found = _find(em, request)
    if found is None:
        return ArmResponse(204)
    del em.store.extensions[found.key]
    return ArmResponse(200, _shown(found))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the assignments at the scope, at what is in it, and at what it is in."""
    scope = scopes.of_request(em, request).lower()
    found = [
        assignment
        for assignment in _all(em)
        if scopes.within(str(assignment.properties["scope"]).lower(), scope)
    ]
    return page([_shown(assignment) for assignment in found])


def _all(em: Emulator) -> list[Extension]:
    return [item for item in em.store.extensions.values() if item.type == ROLE_ASSIGNMENT]


def _find(em: Emulator, request: ArmRequest) -> Extension | None:
    scope = scopes.of_request(em, request)
    identifier = f"{scope}/providers/{ROLE_ASSIGNMENT}/{request.params['assignment']}"
    return em.store.extensions.get(identifier.lower())


def _guid(text: str, code: str, what: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        message = f"The {what} '{text}' is not valid. The {what} must be a GUID."
        raise ArmError(400, code, message, headers=GATEWAY) from None


def _shown(assignment: Extension) -> Json:
    return {
        "properties": assignment.properties,
        "id": assignment.id,
        "type": ROLE_ASSIGNMENT,
        "name": assignment.name,
    }
