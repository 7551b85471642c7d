"""User-assigned identities, and the roles that are assigned to them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ..cloud import LOCATION, Answer, Site

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def identity(site: Site, method: str, name: str = "", body: Any = None) -> Answer:
    path = f"{site.path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    return site.cloud.call(method, f"{path}/{name}" if name else path, body, version="2023-01-31")


def role(
    site: Site, method: str, name: str = "", body: Any = None, scope: str | None = None
) -> Answer:
    path = f"{site.path if scope is None else scope}/providers/Microsoft.Authorization"
    path += f"/roleAssignments/{name}" if name else "/roleAssignments"
    return site.cloud.call(method, path, body, version="2022-04-01")


def assignment(site: Site, principal: str, definition: str = CONTRIBUTOR, **more: Any) -> Any:
    base = f"{site.cloud.subscription}/providers/Microsoft.Authorization/roleDefinitions"
    properties = {"roleDefinitionId": f"{base}/{definition}", "principalId": principal}
    return {"properties": properties | more}


@pytest.fixture
def principal(site: Site) -> str:
    made = identity(site, "PUT", "worker", {"location": LOCATION})
    return str(made.body["properties"]["principalId"])


def test_the_life_of_an_identity(site: Site) -> None:
    made = identity(site, "PUT", "worker", {"location": LOCATION})
    assert made.status == 201
    assert made.headers["location"] == made.body["id"]
    assert set(made.body) == {"id", "name", "type", "location", "tags", "properties"}
    assert (made.body["tags"], made.body["location"]) == ({}, LOCATION)
    properties = made.body["properties"]
    assert set(properties) == {"tenantId", "principalId", "clientId"}
    assert len({str(uuid.UUID(item)) for item in properties.values()}) == 3
    again = identity(site, "PUT", "worker", {"location": LOCATION, "tags": {"a": "b"}})
    assert again.status == 200
    assert again.body == {**made.body, "tags": {"a": "b"}}
    patched = identity(site, "PATCH", "worker", {"tags": {"c": "d"}})
    assert (
        patched.body
        == identity(site, "GET", "WORKER").body
        == {
            **made.body,
            "tags": {"c": "d"},
        }
    )
    assert [item["name"] for item in identity(site, "GET").body["value"]] == ["worker"]
    assert site.names() == ["worker"]
    assert (identity(site, "DELETE", "worker").status, site.names()) == (200, [])
    assert identity(site, "DELETE", "worker").status == 204
    assert identity(site, "GET", "worker").code == "ResourceNotFound"


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("ab", {"location": LOCATION}, "InvalidResourceName"),
        ("a.b.c", {"location": LOCATION}, "InvalidResourceName"),
        ("worker", {}, "LocationRequired"),
        ("worker", {"location": LOCATION, "sku": {}}, "InvalidRequestContent"),
        ("worker", {"location": "atlantis"}, "LocationNotAvailableForResourceType"),
    ],
)
def test_bad_identities(site: Site, name: str, body: Any, code: str) -> None:
    answer = identity(site, "PUT", name, body)
    assert (answer.status, answer.code) == (400, code)


def test_the_life_of_a_role_assignment(site: Site, principal: str) -> None:
    name = str(uuid.uuid4())
    made = role(site, "PUT", name, assignment(site, principal))
    assert made.status == 201
    assert made.body["id"] == (
        f"{site.id}/providers/Microsoft.Authorization/roleAssignments/{name}"
    )
    assert set(made.body) == {"properties", "id", "type", "name"}
    properties = made.body["properties"]
    assert set(properties) == {
        *("roleDefinitionId", "principalId", "principalType", "scope", "createdOn", "updatedOn"),
        *("createdBy", "updatedBy"),
    }
    assert (properties["scope"], properties["principalType"]) == (site.id, "ServicePrincipal")
    assert role(site, "GET", name).body == made.body
    assert role(site, "GET").body["value"] == [made.body]
    assert name not in site.names()  # no resource of the group
    again = role(site, "PUT", name, assignment(site, principal))
    assert again.status == 200
    deleted = role(site, "DELETE", name)
    assert (deleted.status, deleted.body["name"]) == (200, name)
    assert role(site, "DELETE", name).status == 204
    missing = role(site, "GET", name)
    assert (missing.status, missing.code) == (404, "RoleAssignmentNotFound")


def test_a_role_is_assigned_once(site: Site, principal: str) -> None:
    name = str(uuid.uuid4())
    role(site, "PUT", name, assignment(site, principal))
    other = role(site, "PUT", str(uuid.uuid4()), assignment(site, principal))
    assert (other.status, other.code) == (409, "RoleAssignmentExists")
    changed = role(site, "PUT", name, assignment(site, principal, READER))
    assert (changed.status, changed.code) == (400, "RoleAssignmentUpdateNotPermitted")
    more = role(site, "PUT", str(uuid.uuid4()), assignment(site, principal, READER))
    assert more.status == 201


def test_who_does_not_exist_gets_no_role_unless_the_request_says_what_it_is(site: Site) -> None:
    nobody = str(uuid.uuid4())
    answer = role(site, "PUT", str(uuid.uuid4()), assignment(site, nobody))
    assert (answer.status, answer.code) == (400, "PrincipalNotFound")
    assert nobody.replace("-", "") in answer.body["error"]["message"]
    body = assignment(site, nobody, principalType="User")
    assert role(site, "PUT", str(uuid.uuid4()), body).status == 201


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("no-guid", {}, "InvalidRoleAssignmentId"),
        (None, {"principalId": "me"}, "InvalidPrincipalId"),
        (None, {"roleDefinitionId": "Contributor"}, "InvalidRoleDefinitionId"),
        (None, {"principalType": "Cat"}, "InvalidRequestContent"),
        (None, {"principalId": None}, "InvalidRequestContent"),
        (None, {"principalId": 1}, "InvalidRequestContent"),
    ],
)
def test_bad_assignments(
    site: Site, principal: str, name: str | None, change: Any, code: str
) -> None:
    body = assignment(site, principal, **change)
    answer = role(site, "PUT", name or str(uuid.uuid4()), body)
    assert (answer.status, answer.code) == (400, code)


def test_assignments_of_a_resource_go_with_it(site: Site, principal: str) -> None:
    group = site.made("networkSecurityGroups", "g")
    scope = group["id"]
    name = str(uuid.uuid4())
    assert role(site, "PUT", name, assignment(site, principal), scope=scope).status == 201
    listed = role(site, "GET").body["value"]  # the group's, and what is in it
    assert [item["properties"]["scope"] for item in listed] == [scope]
    missing = f"{site.id}/providers/Microsoft.Network/networkSecurityGroups/none"
    answer = role(site, "PUT", name, assignment(site, principal), scope=missing)
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    site.deleted("networkSecurityGroups", "g")
    assert role(site, "GET").body["value"] == []


def test_assignments_of_a_subscription_and_of_a_deleted_group(site: Site, principal: str) -> None:
    name = str(uuid.uuid4())
    subscription = site.cloud.subscription
    body = assignment(site, principal)
    assert role(site, "PUT", name, body, scope=subscription).status == 201
    role(site, "PUT", str(uuid.uuid4()), body)
    listed = role(site, "GET").body["value"]
    assert {item["properties"]["scope"] for item in listed} == {subscription, site.id}
    site.cloud.wait_for_group(site.group)
    site.cloud.resource.resource_groups.create_or_update(site.group, {"location": LOCATION})
    left = role(site, "GET").body["value"]
    assert [item["properties"]["scope"] for item in left] == [subscription]
    assert role(site, "DELETE", name, scope=subscription).status == 200
