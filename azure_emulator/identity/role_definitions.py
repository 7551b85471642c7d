"""Microsoft.Authorization/roleDefinitions: the built-in roles, and those of one's own."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from ..base.errors import GATEWAY, ArmError
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import ROLE_DEFINITION
from ..base.schema import check_management, write_to
from ..base.store import Extension
from ..base.timestamps import arm_timestamp
from ..state import Emulator
from . import scopes
from .roles import ROLES

CONDITION = re.compile(
    r"\s*(?:(?P<name>roleName|type)\s+eq\s+'(?P<value>(?:[^']|'')*)'"
    r"|(?P<at>atScopeAndBelow\(\)|atScope\(\)))\s*",
    re.IGNORECASE,
)
LONGEST_NAME = 512


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Make or change a role of one's own; a built-in one can't be changed."""
    name = _guid(request.params["role"])
    if name in ROLES:
        raise ArmError(400, "RoleDefinitionUpdateNotPermitted", "Built-in roles cannot be changed.")
    identifier = _identifier(em, name)
    existing = em.store.extensions.get(identifier.lower())
    body = check_management("RoleDefinition", request.json_object(), write_to(existing))
    given = body["properties"]
    _check(em, name, given)
    moment = arm_timestamp(em.clock.now())
    permissions = [
        {kind: item.get(kind, []) for kind in ("actions", "notActions", "dataActions")}
        | {"notDataActions": item.get("notDataActions", [])}
        for item in given["permissions"]
    ]
    role = Extension(
        ROLE_DEFINITION,
        identifier,
        name,
        {
            **given,
            "type": "CustomRole",
            "permissions": permissions,
            "createdOn": existing.properties["createdOn"] if existing else moment,
            "updatedOn": moment,
            "createdBy": request.principal.object_id,
            "updatedBy": request.principal.object_id,
        },
    )
    em.store.extensions[role.key] = role
    return ArmResponse(201, _shown(role))


def _check(em: Emulator, name: str, given: Json) -> None:
    subscription = f"/subscriptions/{em.store.subscription_id}"
    if not given["assignableScopes"]:
        raise ArmError(
            400,
            "MissingAssignableScopes",
            "A role definition must have at least one assignable scope.",
        )
    for scope in given["assignableScopes"]:
        if not f"{scope}/".lower().startswith(f"{subscription}/"):
            raise ArmError(
                400,
                "InvalidRoleDefinitionScope",
                f"The assignable scope '{scope}' is not valid.",
            )
    if not given["permissions"]:
        raise ArmError(400, "InvalidRoleDefinition", "A role definition must have permissions.")
    if not 0 < len(given["roleName"]) <= LONGEST_NAME:
        raise ArmError(400, "InvalidRoleDefinitionName", "The role's name is not valid.")
    for other in _all(em):
        if other["name"] != name and _is_named(other, given["roleName"]):
            raise ArmError(
                409,
                "RoleDefinitionWithSameNameExists",
                f"A custom role with the name '{given['roleName']}' already exists in the tenant.",
            )


def _is_named(shown: Json, name: str) -> bool:
    return bool(shown["properties"]["roleName"].lower() == name.lower())


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    if "subscription" in request.params:
        scopes.of_request(em, request)
    name = _guid(request.params["role"])
    for role in _all(em):
        if role["name"] == name:
            return ArmResponse(200, role)
    raise ArmError(
        404,
        "RoleDefinitionDoesNotExist",
        f"The specified role definition with ID '{name.replace('-', '')}' does not exist.",
    )


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    name = _guid(request.params["role"])
    if name in ROLES:
        raise ArmError(400, "RoleDefinitionDeleteNotPermitted", "Built-in roles cannot be deleted.")
    identifier = _identifier(em, name)
    role = em.store.extensions.get(identifier.lower())
    if role is None:
        return ArmResponse(204)
    if any(
        str(item.properties.get("roleDefinitionId", "")).lower().endswith(f"/{name}")
        for item in em.store.extensions.values()
    ):
        raise ArmError(
            400,
            "RoleDefinitionHasAssignments",
            "There are existing role assignments referencing role (code: "
            "RoleDefinitionHasAssignments).",
        )
    del em.store.extensions[role.key]
    return ArmResponse(200, _shown(role))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer all roles; $filter: by roleName, by type (BuiltInRole, CustomRole)."""
    scopes.of_request(em, request)
    found = list(_all(em))
    wanted = request.query.get("$filter", "")
    for part in re.split(r"\s+and\s+", wanted) if wanted.strip() else []:
        match = CONDITION.fullmatch(part)
        if match is None:
            raise ArmError(
                400, "UnsupportedQuery", f"The filter '{wanted}' is not supported.", headers=GATEWAY
            )
        if match["name"]:
            member = {"rolename": "roleName", "type": "type"}[match["name"].lower()]
            value = match["value"].replace("''", "'").lower()
            found = [role for role in found if role["properties"][member].lower() == value]
    return page(found)


def _all(em: Emulator) -> Iterator[Json]:
    for name, role in ROLES.items():
        yield {
            "properties": {
                "roleName": role.name,
                "type": "BuiltInRole",
                "description": role.description,
                "assignableScopes": ["/"],
                "permissions": [
                    {
                        "actions": list(role.actions),
                        "notActions": list(role.not_actions),
                        "dataActions": [],
                        "notDataActions": [],
                    }
                ],
                "createdOn": "2015-02-02T21:55:09.8806423Z",
                "updatedOn": "2015-02-02T21:55:09.8806423Z",
                "createdBy": None,
                "updatedBy": None,
            },
            "id": _identifier(em, name),
            "type": ROLE_DEFINITION,
            "name": name,
        }
    for item in em.store.extensions.values():
        if item.type == ROLE_DEFINITION:
            yield _shown(item)


def _shown(role: Extension) -> Json:
    return {
        "properties": role.properties,
        "id": role.id,
        "type": ROLE_DEFINITION,
        "name": role.name,
    }


def _identifier(em: Emulator, name: str) -> str:
    return f"/subscriptions/{em.store.subscription_id}/providers/{ROLE_DEFINITION}/{name}"


def _guid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ArmError(
            400,
            "InvalidRoleDefinitionId",
            f"The role definition ID '{text}' is not valid. The role definition ID must be a GUID.",
            headers=GATEWAY,
        ) from None
