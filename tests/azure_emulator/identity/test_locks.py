"""Management locks: the requests on them, and what they forbid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..cloud import Answer, Cloud, Site
from ..template_samples import Deployer, nsg, template

LOCKS = "providers/Microsoft.Authorization/locks"
VERSION = "2020-05-01"


def lock(arm: Cloud, scope: str, level: str = "CanNotDelete", name: str = "mine") -> Answer:
    body = {"properties": {"level": level, "notes": "why"}}
    return arm.call("PUT", f"{scope}/{LOCKS}/{name}", body, version=VERSION)


@pytest.fixture
def locked(site: Site, arm: Cloud) -> Iterator[Site]:
    """A site without locks at its end."""
    yield site
    for one in arm.call("GET", f"{site.path}/{LOCKS}", version=VERSION).body["value"]:
        arm.call("DELETE", one["id"], version=VERSION)


def test_their_life(locked: Site, arm: Cloud) -> None:
    assert lock(arm, locked.path).status == 201
    made = lock(arm, locked.path)
    assert made.status == 200
    assert made.body == {
        "id": f"{locked.id}/{LOCKS}/mine",
        "name": "mine",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": "CanNotDelete", "notes": "why"},
    }
    url = f"{locked.path}/{LOCKS}/mine"
    assert arm.call("GET", url, version=VERSION).body == made.body
    assert arm.call("DELETE", url, version=VERSION).status == 200
    assert arm.call("DELETE", url, version=VERSION).status == 204
    assert arm.call("GET", url, version=VERSION).code == "LockNotFound"


def test_lists_show_what_is_above_and_below(locked: Site, arm: Cloud) -> None:
    made = locked.made("networkSecurityGroups", "one")
    lock(arm, locked.path, name="of-group")
    lock(arm, made["id"], name="of-one")

    def names(scope: str, query: str = "") -> list[str]:
        listed = arm.call("GET", f"{scope}/{LOCKS}{query}", version=VERSION).body["value"]
        return sorted(item["name"] for item in listed)

    assert names(locked.path) == ["of-group", "of-one"]
    assert names(made["id"]) == ["of-group", "of-one"]
    assert names(locked.path, "?$filter=atScope()") == ["of-group"]


def test_can_not_delete(locked: Site, arm: Cloud) -> None:
    made = locked.made("networkSecurityGroups", "one")
    lock(arm, made["id"])
    for doomed in (made["id"], locked.path):  # the group would take it along
        refused = arm.call("DELETE", doomed)
        assert (refused.status, refused.code) == (409, "ScopeLocked")
        assert f"'{made['id']}'" in refused.body["error"]["message"]
    assert locked.put("networkSecurityGroups", "one", tags={"a": "b"}).status == 200
    arm.call("DELETE", f"{made['id']}/{LOCKS}/mine", version=VERSION)
    assert arm.call("DELETE", made["id"]).status == 202


def test_read_only(locked: Site, arm: Cloud) -> None:
    made = locked.made("networkSecurityGroups", "one")
    lock(arm, locked.path, "ReadOnly")
    for refused in (
        locked.put("networkSecurityGroups", "two"),
        arm.call("PATCH", made["id"], {"tags": {}}),
        arm.call("DELETE", made["id"]),
        arm.call("PATCH", locked.path, {"tags": {}}),
    ):
        assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert arm.call("GET", made["id"]).status == 200
    exported = arm.call("POST", f"{locked.path}/exportTemplate", {"resources": ["*"]})
    assert exported.status == 200


def test_deployments_are_bound_by_them(locked: Site, arm: Cloud) -> None:
    made = locked.made("networkSecurityGroups", "one")
    lock(arm, made["id"], "ReadOnly")
    error = Deployer(locked).failed(template(nsg("one")))
    assert [item["code"] for item in error["details"]] == ["ScopeLocked"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("mine", {"properties": {"level": "NotSpecified"}}),
        ("mine", {"properties": {"level": "Wrong"}}),
        ("mine", {"properties": {}}),
        ("mine", {}),
        ("a%3Cb", {"properties": {"level": "ReadOnly"}}),
    ],
)
def test_refusals(locked: Site, arm: Cloud, name: str, body: object) -> None:
    answer = arm.call("PUT", f"{locked.path}/{LOCKS}/{name}", body, version=VERSION)
    assert answer.status == 400
    assert arm.call("GET", f"{locked.path}/{LOCKS}", version=VERSION).body["value"] == []


def test_a_lock_of_what_is_not_there(arm: Cloud, site: Site) -> None:
    assert lock(arm, "/resourceGroups/nowhere").code == "ResourceGroupNotFound"
    assert lock(arm, site.provider("networkSecurityGroups", "x")).code == "ResourceNotFound"
