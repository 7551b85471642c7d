"""Small ARM templates, and a deployment of them on an emulator."""

from __future__ import annotations

import time
from typing import Any

from .cloud import IMAGE, LOCATION, Answer, Keys, Site, os_profile

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
VERSION = "2021-04-01"
NETWORK = "Microsoft.Network"


def template(*resources: Any, **members: Any) -> dict[str, Any]:
    head = {"$schema": SCHEMA, "contentVersion": "1.0.0.0"}
    return {**head, **members, "resources": list(resources)}


def resource(kind: str, name: str, properties: Any = None, **members: Any) -> dict[str, Any]:
    """members: dependsOn, copy, condition, ...; location None leaves it out."""
    body = {"type": kind, "apiVersion": "2023-04-01", "name": name, "location": LOCATION}
    body |= {"properties": properties or {}, **members}
    return {key: item for key, item in body.items() if item is not None}


def nsg(name: str, **members: Any) -> dict[str, Any]:
    return resource(f"{NETWORK}/networkSecurityGroups", name, **members)


def public_ip(name: str, **members: Any) -> dict[str, Any]:
    properties = {"publicIPAllocationMethod": "Static", **members.pop("properties", {})}
    sku = {"name": "Standard"}
    return resource(f"{NETWORK}/publicIPAddresses", name, properties, sku=sku, **members)


def vnet(name: str, prefix: str, **members: Any) -> dict[str, Any]:
    properties = {
        "addressSpace": {"addressPrefixes": [prefix]},
        "subnets": [{"name": "main", "properties": {"addressPrefix": prefix}}],
    }
    return resource(f"{NETWORK}/virtualNetworks", name, properties, **members)


def nic(name: str, vnet_name: str, **members: Any) -> dict[str, Any]:
    subnet = f"[resourceId('{NETWORK}/virtualNetworks/subnets', '{vnet_name}', 'main')]"
    configuration = {"name": "primary", "properties": {"subnet": {"id": subnet}}}
    properties = {"ipConfigurations": [configuration]}
    return resource(f"{NETWORK}/networkInterfaces", name, properties, **members)


def machine(keys: Keys, name: str, nic_name: str, size: str = "Standard_D2s_v5") -> dict[str, Any]:
    identifier = f"[resourceId('{NETWORK}/networkInterfaces', {nic_name.strip('[]')})]"
    properties = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {"imageReference": IMAGE, "osDisk": {"createOption": "FromImage"}},
        "osProfile": os_profile(keys, computerName="host"),
        "networkProfile": {"networkInterfaces": [{"id": identifier}]},
    }
    kind = "Microsoft.Compute/virtualMachines"
    return resource(kind, name, properties, dependsOn=[identifier])


class Deployer:
    """Deployments in one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.path = f"{site.path}/providers/Microsoft.Resources/deployments"

    def call(self, method: str, name: str = "", body: Any = None) -> Answer:
        path = f"{self.path}/{name}" if name else self.path
        return self.site.cloud.call(method, path, body, version=VERSION)

    def put(
        self, content: Any, parameters: Any = None, *, name: str = "main", **properties: Any
    ) -> Answer:
        given = {key: {"value": value} for key, value in (parameters or {}).items()}
        body = {"mode": "Incremental", "template": content, "parameters": given, **properties}
        return self.call("PUT", name, {"properties": body})

    def ended(self, answer: Answer) -> dict[str, Any]:
        """The properties of the deployment when it has come to an end."""
        assert answer.status in (200, 201), answer
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            status = self.site.cloud.call("GET", answer.headers["azure-asyncoperation"]).body
            if status["status"] not in ("Accepted", "Running"):
                found = self.call("GET", answer.body["name"]).body["properties"]
                assert found["provisioningState"] == status["status"]
                return dict(found)
            time.sleep(0.01)
        raise AssertionError("the deployment does not end")

    def failed(self, content: Any, parameters: Any = None, **options: Any) -> dict[str, Any]:
        """The error of a deployment that was begun."""
        found = self.ended(self.put(content, parameters, **options))
        assert found["provisioningState"] == "Failed"
        return dict(found["error"])

    def made(self, content: Any, parameters: Any = None, **options: Any) -> dict[str, Any]:
        found = self.ended(self.put(content, parameters, **options))
        assert found["provisioningState"] == "Succeeded", found
        return found

    def outputs(self, content: Any, parameters: Any = None, **options: Any) -> dict[str, Any]:
        found = self.made(content, parameters, **options).get("outputs", {})
        return {name: item.get("value") for name, item in found.items()}
