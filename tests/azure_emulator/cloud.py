"""The real Azure SDK, pointed at an emulator, and the request bodies the tests use."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh
from azure.core.credentials import AccessToken
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient

from azure_emulator import client

IMAGE = {
    "publisher": "Canonical",
    "offer": "ubuntu-24_04-lts",
    "sku": "server",
    "version": "latest",
}
LOCATION = "eastus"
USER = "ipython"


class Token:
    """A static credential."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


class Answer(NamedTuple):
    """headers: names in lower case."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


def _version_of(path: str) -> str:
    """Return an api-version for a request on this path: disks and SKUs have their own ones."""
    lower = path.lower()
    if "/microsoft.compute/disks" in lower:
        return "2026-03-02"
    return "2021-07-01" if "/microsoft.compute/skus" in lower else "2026-03-01"


class Cloud:
    """compute, network, resource and deployments: SDK clients; call(): a bare request."""

    def __init__(
        self, info: client.EmulatorInfo, credential: Token | None = None, **options: Any
    ) -> None:
        """options: of the SDK clients, which don't try again unless told."""
        self.info = info
        self.subscription = f"/subscriptions/{info.subscription_id}"
        credential = credential or Token(Path(info.token_file).read_text())
        options = {
            "base_url": info.endpoint,
            "connection_verify": info.ca_file,
            "polling_interval": 0.02,
            "retry_total": 0,
            **options,
        }
        self.compute = ComputeManagementClient(credential, info.subscription_id, **options)
        self.network = NetworkManagementClient(credential, info.subscription_id, **options)
        self.resource = ResourceManagementClient(credential, info.subscription_id, **options)
        self.deployments = DeploymentsMgmtClient(credential, info.subscription_id, **options)
        self.token = credential.token
        self._headers = {"Authorization": f"Bearer {credential.token}"}
        context = ssl.create_default_context(cafile=info.ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def close(self) -> None:
        for part in (self.compute, self.network, self.resource, self.deployments):
            part.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        more: dict[str, str] | None = None,
        version: str | None = "",
    ) -> Answer:
        """path: below the subscription, or absolute, or a URL; bytes bodies go as they are.

        headers: in place of the token; more: beside it; version: the api-version, None for none
        at all, by default one that Azure has for what the path names.
        """
        if path.startswith("https://"):
            url = path
        else:
            absolute = path.startswith(("/subscriptions", "/emulator"))
            url = self.info.endpoint + (path if absolute else self.subscription + path)
            if version == "":
                version = _version_of(path)
            if version:
                url += ("&" if "?" in url else "?") + f"api-version={version}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {**(self._headers if headers is None else headers), **(more or {})}
        request = urllib.request.Request(url, data=data, method=method, headers=sent)  # noqa: S310 - https only
        try:
            reply = self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            raw = reply.read()
            lower = {name.lower(): value for name, value in reply.headers.items()}
            return Answer(reply.status, lower, json.loads(raw) if raw else None)

    def wait_for(self, answer: Answer) -> Any:
        """The end of an operation, by its Azure-AsyncOperation URL."""
        assert answer.status < 300, answer
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = self.call("GET", answer.headers["azure-asyncoperation"]).body
            if state["status"] != "InProgress":
                return state
            time.sleep(0.01)
        raise AssertionError("the operation does not end")

    def wait_for_group(self, name: str) -> None:
        """Delete a resource group and wait for its end."""
        self.resource.resource_groups.begin_delete(name).wait(60)


class Keys:
    """One login key and one host key for all tests: making RSA keys takes time."""

    def __init__(self) -> None:
        self.login = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
        self.host = asyncssh.generate_private_key("ssh-ed25519")
        self.login_public = self.login.export_public_key().decode()
        self.known_hosts = asyncssh.import_known_hosts(
            f"* {self.host.export_public_key().decode()}"
        )

    def custom_data(self, **more: Any) -> str:
        """A #cloud-config (JSON is YAML) with the host key."""
        config = {"ssh_keys": {"ed25519_private": self.host.export_private_key().decode()}, **more}
        return encoded("#cloud-config\n" + json.dumps(config))


def encoded(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return base64.b64encode(raw).decode()


def os_profile(keys: Keys, **more: Any) -> dict[str, Any]:
    key = {"path": f"/home/{USER}/.ssh/authorized_keys", "keyData": keys.login_public}
    return {
        "adminUsername": USER,
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [key]},
        },
        **more,
    }


def vm_body(keys: Keys, nic_id: str, size: str = "Standard_D2s_v5", **os: Any) -> dict[str, Any]:
    return {
        "location": LOCATION,
        "properties": {
            "hardwareProfile": {"vmSize": size},
            "storageProfile": {
                "imageReference": dict(IMAGE),
                "osDisk": {"createOption": "FromImage"},
            },
            "osProfile": os_profile(keys, **os),
            "networkProfile": {"networkInterfaces": [{"id": nic_id}]},
        },
    }


def scale_set_body(
    keys: Keys, subnet_id: str, capacity: int, size: str = "Standard_D4s_v5", **os: Any
) -> dict[str, Any]:
    nic = {
        "name": "engine-nic",
        "properties": {
            "primary": True,
            "ipConfigurations": [{"name": "primary", "properties": {"subnet": {"id": subnet_id}}}],
        },
    }
    return {
        "location": LOCATION,
        "sku": {"name": size, "tier": "Standard", "capacity": capacity},
        "properties": {
            "orchestrationMode": "Flexible",
            "platformFaultDomainCount": 1,
            "virtualMachineProfile": {
                "osProfile": os_profile(keys, computerNamePrefix="engine", **os),
                "storageProfile": {
                    "imageReference": dict(IMAGE),
                    "osDisk": {"createOption": "FromImage"},
                },
                "networkProfile": {
                    "networkApiVersion": "2022-11-01",
                    "networkInterfaceConfigurations": [nic],
                },
            },
        },
    }


def ssh_rule(port: int | str, source: str = "127.0.0.0/8", **more: Any) -> dict[str, Any]:
    properties = {
        "protocol": "Tcp",
        "sourcePortRange": "*",
        "destinationPortRange": str(port),
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": "*",
        "access": "Allow",
        "priority": 1000,
        "direction": "Inbound",
    }
    return {"name": "ssh", "properties": properties | more}


class Site:
    """A resource group with a network; everything in it goes with the group."""

    def __init__(self, cloud: Cloud, group: str, prefix: str) -> None:
        self.cloud = cloud
        self.group = group
        self.prefix = prefix
        self.path = f"/resourceGroups/{group}"
        self.id = f"{cloud.subscription}/resourceGroups/{group}"
        cloud.resource.resource_groups.create_or_update(group, {"location": LOCATION})

    def provider(self, kind: str, name: str = "", child: str = "") -> str:
        """virtualMachines, vm1 -> the path of that machine below the subscription."""
        compute = kind in ("virtualMachines", "virtualMachineScaleSets", "disks")
        namespace = "Microsoft.Compute" if compute else "Microsoft.Network"
        parts = [self.path, "providers", namespace, kind, name, child]
        return "/".join(part for part in parts if part)

    def put(self, kind: str, name: str, properties: Any = None, **top: Any) -> Answer:
        body = {"location": LOCATION, "properties": properties or {}, **top}
        return self.cloud.call("PUT", self.provider(kind, name), body)

    def made(self, kind: str, name: str, properties: Any = None, **top: Any) -> dict[str, Any]:
        """PUT, wait, GET."""
        answer = self.put(kind, name, properties, **top)
        assert answer.status in (200, 201), answer
        assert self.cloud.wait_for(answer)["status"] == "Succeeded"
        return dict(self.get(kind, name).body)

    def get(self, kind: str, name: str = "", child: str = "") -> Answer:
        return self.cloud.call("GET", self.provider(kind, name, child))

    def delete(self, kind: str, name: str, child: str = "") -> Answer:
        return self.cloud.call("DELETE", self.provider(kind, name, child))

    def deleted(self, kind: str, name: str, query: str = "") -> None:
        answer = self.cloud.call("DELETE", self.provider(kind, name) + query)
        assert answer.status == 202, answer
        assert self.cloud.wait_for(answer)["status"] == "Succeeded"

    def network(self, name: str = "vnet", **subnet: Any) -> str:
        """A VNet with one subnet of the same prefix; the subnet's id."""
        subnets = [{"name": "main", "properties": {"addressPrefix": self.prefix, **subnet}}]
        space = {"addressPrefixes": [self.prefix]}
        vnet = self.made("virtualNetworks", name, {"addressSpace": space, "subnets": subnets})
        return str(vnet["properties"]["subnets"][0]["id"])

    def nic(self, name: str, subnet_id: str, *, nsg: str = "", **ip: Any) -> dict[str, Any]:
        configuration = {"name": "primary", "properties": {"subnet": {"id": subnet_id}, **ip}}
        properties: dict[str, Any] = {"ipConfigurations": [configuration]}
        if nsg:
            properties["networkSecurityGroup"] = {"id": nsg}
        return self.made("networkInterfaces", name, properties)

    def public_ip(self, name: str) -> dict[str, Any]:
        properties = {"publicIPAllocationMethod": "Static"}
        return self.made("publicIPAddresses", name, properties, sku={"name": "Standard"})

    def vm(self, name: str, keys: Keys, nic_id: str, **options: Any) -> dict[str, Any]:
        body = vm_body(keys, nic_id, **options)
        return self.made("virtualMachines", name, body["properties"])

    def names(self) -> list[str]:
        listed = self.cloud.call("GET", f"{self.path}/resources").body["value"]
        return sorted(item["name"] for item in listed)


def address_of(nic: dict[str, Any]) -> str:
    return str(nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"])


def answers(address: str, port: int) -> bool:
    """Whether sshd greets there, rather than refuses or stays silent."""
    with socket.socket() as probe:
        probe.settimeout(0.3)
        try:
            probe.connect((address, port))
            return probe.recv(8) == b"SSH-2.0-"
        except OSError:
            return False
