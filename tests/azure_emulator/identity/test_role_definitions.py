"""Role definitions: the built-in ones, and those of one's own, which count as much."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from azure_emulator.base.store import Extension
from azure_emulator.front.dispatch import Router
from azure_emulator.guest.machine_interface import NoMachines
from azure_emulator.identity import roles
from azure_emulator.server_options import ServerSettings
from azure_emulator.state import Emulator

from ..cloud import Answer, Cloud

PATH = "/providers/Microsoft.Authorization/roleDefinitions"
VERSION = "2022-04-01"


def role(arm: Cloud, name: str = "", **members: Any) -> dict[str, Any]:
    properties = {
        "roleName": name or f"role {uuid.uuid4()}",
        "description": "starts machines",
        "permissions": [{"actions": ["Microsoft.Compute/virtualMachines/start/action"]}],
        "assignableScopes": [arm.subscription],
    }
    return {"properties": {**properties, **members}}


def put(arm: Cloud, identifier: str, body: object) -> Answer:
    return arm.call("PUT", f"{PATH}/{identifier}", body, version=VERSION)


@pytest.fixture
def identifier(arm: Cloud) -> Iterator[str]:
    found = str(uuid.uuid4())
    yield found
    arm.call("DELETE", f"{PATH}/{found}", version=VERSION)


def listed(arm: Cloud, condition: str = "") -> list[str]:
    query = f"?$filter={condition.replace(' ', '%20')}" if condition else ""
    found = arm.call("GET", f"{PATH}{query}", version=VERSION).body["value"]
    return [item["properties"]["roleName"] for item in found]


def test_built_in_roles(arm: Cloud) -> None:
    assert {"Owner", "Contributor", "Reader", "User Access Administrator"} <= set(listed(arm))
    assert listed(arm, "roleName eq 'reader'") == ["Reader"]
    assert listed(arm, "atScopeAndBelow() and roleName eq 'Owner'") == ["Owner"]
    shown = arm.call("GET", f"{PATH}/{roles.CONTRIBUTOR}", version=VERSION).body
    assert shown["properties"]["type"] == "BuiltInRole"
    assert shown["properties"]["permissions"][0]["actions"] == ["*"]


def test_a_role_of_ones_own(arm: Cloud, identifier: str) -> None:
    made = put(arm, identifier, role(arm, "Night watch"))
    assert made.status == 201
    assert made.body["properties"]["type"] == "CustomRole"
    assert made.body["properties"]["permissions"][0]["notActions"] == []
    assert listed(arm, "type eq 'CustomRole'") == ["Night watch"]
    put(arm, identifier, role(arm, "Day watch"))
    assert listed(arm, "type eq 'CustomRole'") == ["Day watch"]
    assert arm.call("DELETE", f"{PATH}/{identifier}", version=VERSION).status == 200
    assert arm.call("DELETE", f"{PATH}/{identifier}", version=VERSION).status == 204
    gone = arm.call("GET", f"{PATH}/{identifier}", version=VERSION)
    assert gone.code == "RoleDefinitionDoesNotExist"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"assignableScopes": []}, "MissingAssignableScopes"),
        ({"assignableScopes": ["/"]}, "InvalidRoleDefinitionScope"),
        ({"permissions": []}, "InvalidRoleDefinition"),
        ({"roleName": "x" * 513}, "InvalidRoleDefinitionName"),
        ({"roleName": "Owner"}, "RoleDefinitionWithSameNameExists"),
    ],
)
def test_refusals(arm: Cloud, identifier: str, members: Any, code: str) -> None:
    assert put(arm, identifier, role(arm, **members)).code == code


def test_refusals_of_built_in_roles_and_of_ids(arm: Cloud) -> None:
    assert put(arm, roles.CONTRIBUTOR, role(arm)).code == "RoleDefinitionUpdateNotPermitted"
    deleted = arm.call("DELETE", f"{PATH}/{roles.CONTRIBUTOR}", version=VERSION)
    assert deleted.code == "RoleDefinitionDeleteNotPermitted"
    assert put(arm, "mine", role(arm)).code == "InvalidRoleDefinitionId"
    wrong = arm.call("GET", f"{PATH}?$filter=color%20eq%20'red'", version=VERSION)
    assert wrong.code == "UnsupportedQuery"


def test_a_role_in_use_stays(arm: Cloud, identifier: str) -> None:
    made = put(arm, identifier, role(arm)).body
    path = f"/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    properties = {
        "roleDefinitionId": made["id"],
        "principalId": str(uuid.uuid4()),
        "principalType": "User",
    }
    arm.call("PUT", path, {"properties": properties}, version=VERSION)
    held = arm.call("DELETE", f"{PATH}/{identifier}", version=VERSION)
    assert held.code == "RoleDefinitionHasAssignments"
    assert arm.call("DELETE", path, version=VERSION).status == 200


def test_it_allows_what_it_says_and_no_more(tmp_path: Path) -> None:
    em = Emulator(ServerSettings(tmp_path), NoMachines(), Router())
    subscription = f"/subscriptions/{em.store.subscription_id}"
    permissions = [{"actions": ["Microsoft.Compute/*"], "notActions": ["*/delete"]}]
    own = f"{subscription}{PATH}/{uuid.uuid4()}"
    properties = {"roleName": "mine", "permissions": permissions}
    em.store.extensions[own.lower()] = Extension(roles.ROLE_DEFINITION, own, "x", properties)
    properties = {"principalId": "me", "roleDefinitionId": own, "scope": subscription}
    em.store.extensions["a"] = Extension(roles.ROLE_ASSIGNMENT, "a", "a", properties)
    holder = roles.holder(em, "me", datetime.now(timezone.utc))
    vm = f"{subscription}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
    assert holder.may("Microsoft.Compute/virtualMachines/write", vm)
    assert not holder.may("Microsoft.Compute/virtualMachines/delete", vm)
    assert not holder.may("Microsoft.Network/virtualNetworks/read", vm)
