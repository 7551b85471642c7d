"""Microsoft.Resources/tags of the subscription, of groups and of resources."""

from __future__ import annotations

import pytest

from ..cloud import Answer, Cloud, Site

TAGS = "providers/Microsoft.Resources/tags/default"


def change(arm: Cloud, scope: str, operation: str, **tags: str) -> Answer:
    body = {"operation": operation, "properties": {"tags": tags}}
    return arm.call("PATCH", f"{scope}/{TAGS}", body)


def tags_of(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer
    return dict(answer.body["properties"]["tags"])


@pytest.mark.parametrize("kind", ["group", "resource", "subscription"])
def test_replaced_merged_deleted(arm: Cloud, site: Site, kind: str) -> None:
    made = site.made("networkSecurityGroups", "one", tags={"old": "1"})
    scope = {"group": site.path, "resource": made["id"], "subscription": arm.subscription}[kind]
    put = arm.call("PUT", f"{scope}/{TAGS}", {"properties": {"tags": {"a": "1", "b": "2"}}})
    assert tags_of(put) == {"a": "1", "b": "2"}
    assert put.body["id"].endswith(f"/{TAGS}")
    assert tags_of(change(arm, scope, "Merge", B="3", c="4")) == {"a": "1", "b": "3", "c": "4"}
    # only with its value
    assert tags_of(change(arm, scope, "Delete", a="wrong", c="4")) == {"a": "1", "b": "3"}
    assert tags_of(change(arm, scope, "Replace", d="5")) == {"d": "5"}
    assert tags_of(arm.call("GET", f"{scope}/{TAGS}")) == {"d": "5"}
    assert arm.call("GET", scope, version="2022-12-01").body["tags"] == {"d": "5"}
    assert arm.call("DELETE", f"{scope}/{TAGS}").status == 200
    assert tags_of(arm.call("GET", f"{scope}/{TAGS}")) == {}


def test_refusals(arm: Cloud, site: Site) -> None:
    assert change(arm, site.path, "Add", a="b").code == "InvalidRequestContent"
    body = {"properties": {"tags": {"a": "b"}}}
    assert arm.call("PATCH", f"{site.path}/{TAGS}", body).code == "InvalidTagsOperation"
    missing = arm.call("GET", f"/resourceGroups/nowhere/{TAGS}")
    assert missing.code == "ResourceGroupNotFound"
