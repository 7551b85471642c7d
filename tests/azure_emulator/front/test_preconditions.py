"""If-Match and If-None-Match: who has not seen the latest state changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError

from ..cloud import LOCATION, Answer, Cloud, Keys, Site, vm_body


def put(site: Site, path: str, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.cloud.call("PUT", path, body, more=named)


def test_a_network_resource_changed_meanwhile(arm: Cloud, site: Site) -> None:
    path, body = site.provider("networkSecurityGroups", "nsg"), {"location": LOCATION}
    assert put(site, path, body, If_Match="*").status == 412
    assert put(site, path, body, If_None_Match="*").status == 201
    assert put(site, path, body, If_None_Match="*").status == 412
    arm.wait_for(put(site, path, body))
    old = site.get("networkSecurityGroups", "nsg").headers["etag"]
    arm.wait_for(put(site, path, {**body, "tags": {"by": "another"}}))
    refused = put(site, path, body, If_Match=old)
    assert (refused.status, refused.code) == (412, "PreconditionFailed")
    (detail,) = refused.body["error"]["details"]
    new = site.get("networkSecurityGroups", "nsg")
    assert detail["code"] == "PreconditionFailedEtagMismatch"
    assert f"if-match header {old} does not match etag {new.headers['etag']}" in detail["message"]
    assert new.body["tags"] == {"by": "another"}
    assert arm.call("DELETE", path, more={"If-Match": old}).status == 412
    assert arm.call("PATCH", path, {"tags": {}}, more={"If-Match": old}).status == 412
    assert put(site, path, body, If_Match=f'W/"0", {new.body["etag"]}').status == 200
    assert arm.call("DELETE", path, more={"If-Match": "*"}).status == 202


def test_a_subnet_has_its_networks_etag(arm: Cloud, site: Site) -> None:
    site.network()
    old = site.get("virtualNetworks", "vnet", "subnets/main").body["etag"]
    path = site.provider("virtualNetworks", "vnet", "subnets/main")
    body = {"properties": {"addressPrefix": site.prefix}}
    arm.wait_for(put(site, path, body, If_Match=old))
    assert put(site, path, body, If_Match=old).status == 412


def test_the_sdks_conditions_of_a_machine(arm: Cloud, site: Site, keys: Keys) -> None:
    nic = site.nic("nic", site.network())["id"]
    machines, body = arm.compute.virtual_machines, vm_body(keys, nic)
    arguments: Any = (site.group, "vm", body)
    with pytest.raises(HttpResponseError) as caught:
        machines.begin_create_or_update(*arguments, match_condition=MatchConditions.IfPresent)
    assert caught.value.status_code == 412
    only_new = {"match_condition": MatchConditions.IfMissing}
    vm = machines.begin_create_or_update(*arguments, **only_new).result()
    with pytest.raises((ResourceExistsError, HttpResponseError)) as caught:
        machines.begin_create_or_update(*arguments, **only_new)
    assert caught.value.status_code == 412
    same: dict[str, Any] = {"etag": vm.etag, "match_condition": MatchConditions.IfNotModified}
    tags: Any = {"tags": {"a": "1"}}
    changed = machines.begin_update(site.group, "vm", tags, **same).result()
    assert changed.etag != vm.etag
    with pytest.raises(ResourceModifiedError):
        machines.begin_update(site.group, "vm", tags, **same)


def test_older_versions_of_compute_show_no_etag(arm: Cloud, site: Site, keys: Keys) -> None:
    site.vm("vm", keys, site.nic("nic", site.network())["id"])
    path = site.provider("virtualMachines", "vm")
    assert "etag" in arm.call("GET", path, version="2025-04-01").body
    assert "etag" not in arm.call("GET", path, version="2021-03-01").body
