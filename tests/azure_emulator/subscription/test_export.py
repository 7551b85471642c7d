"""exportTemplate of a group: what it gives makes the same again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cloud import Cloud, Keys, Site
from ..template_samples import Deployer


def exported(site: Site, *resources: str, **body: Any) -> dict[str, Any]:
    sent = {"resources": list(resources) or ["*"], **body}
    answer = site.cloud.call("POST", f"{site.path}/exportTemplate", sent)
    assert answer.status == 200, answer
    return dict(answer.body)


def test_it_can_be_deployed_elsewhere(new_site: Callable[[], Site], keys: Keys) -> None:
    site, other = new_site(), new_site()
    subnet = site.network()
    nsg = site.made("networkSecurityGroups", "nsg", tags={"a": "[not an expression]"})["id"]
    address = {"publicIPAddress": {"id": site.public_ip("ip")["id"]}}
    site.vm("vm", keys, site.nic("nic", subnet, nsg=nsg, **address)["id"])
    disk = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8}
    site.cloud.wait_for(site.put("disks", "extra", disk))
    template = exported(site)["template"]
    names = ["extra", "ip", "nic", "nsg", "vm", "vnet"]
    assert sorted(item["defaultValue"] for item in template["parameters"].values()) == names
    assert site.id not in str(template["resources"])
    Deployer(other).made(template)
    assert set(names) < set(other.names())  # and the machine's disk
    nic = other.get("networkInterfaces", "nic").body["properties"]
    assert nic["networkSecurityGroup"]["id"].startswith(other.id)
    assert nic["virtualMachine"]["id"].startswith(other.id)
    assert other.get("networkSecurityGroups", "nsg").body["tags"] == {"a": "[not an expression]"}


def test_one_resource_with_its_own_name(site: Site) -> None:
    one = site.made("networkSecurityGroups", "one")
    site.made("networkSecurityGroups", "two")
    found = exported(site, one["id"], options="SkipResourceNameParameterization")["template"]
    assert found["parameters"] == {}
    assert [item["name"] for item in found["resources"]] == ["one"]


def test_what_cannot_be_exported_is_told(site: Site, arm: Cloud) -> None:
    path = f"{site.path}/providers/Microsoft.Compute/galleries/gallery"
    arm.call("PUT", path, {"location": "eastus", "properties": {}}, version="2024-03-03")
    found = exported(site)
    assert found["template"]["resources"] == []
    (detail,) = found["error"]["details"]
    assert detail["code"] == "ResourceTypeSchemaNotFound"
    assert detail["target"].endswith("/galleries/gallery")


def test_refusals(site: Site, arm: Cloud) -> None:
    path = f"{site.path}/exportTemplate"
    assert arm.call("POST", path, {}).code == "InvalidExportTemplateRequest"
    elsewhere = {"resources": [f"{site.id}/providers/Microsoft.Network/virtualNetworks/x"]}
    assert arm.call("POST", path, elsewhere).code == "ExportTemplateResourceNotFound"
