"""What a VM is told from inside: its metadata, events that are coming, tokens of its identities."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from azure.identity import ManagedIdentityCredential

from azure_emulator import client, testing

from ..cloud import USER, Cloud, Keys, Site, address_of, encoded, scale_set_body, vm_body
from ..conftest import numbers, running
from ..hosts import Host, until

VERSION = "2021-02-01"
EVENTS = "/metadata/scheduledevents?api-version=2020-07-01"
TOKEN = "/metadata/identity/oauth2/token?api-version=2018-02-01"
MANAGEMENT = "https://management.azure.com/"


class Told(NamedTuple):
    status: int
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Metadata:
    """The metadata service as one VM sees it."""

    def __init__(self, cloud: Cloud, vm: dict[str, Any]) -> None:
        self.url = client.metadata_url(cloud.info, vm["properties"]["vmId"])
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, *, method: str = "GET", body: Any = None, headers: Any = None) -> Told:
        request = urllib.request.Request(  # noqa: S310 - the emulator's own
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Metadata": "true"} if headers is None else headers,
        )
        try:
            with self._opener.open(request, timeout=30) as reply:
                return Told(reply.status, reply.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Told(error.code, error.read().decode())

    def events(self) -> list[dict[str, Any]]:
        return list(self.ask(EVENTS).body["Events"])


@pytest.fixture
def nic(site: Site) -> str:
    return str(site.nic("nic", site.network())["id"])


def made(site: Site, keys: Keys, nic_id: str, name: str = "vm", **more: Any) -> dict[str, Any]:
    """top-level members by name, others are properties."""
    top = {key: more.pop(key) for key in ("tags", "identity", "zones") if key in more}
    properties = vm_body(keys, nic_id)["properties"] | more
    return site.made("virtualMachines", name, properties, **top)


# The instance


def test_the_instance_document(site: Site, keys: Keys, nic: str) -> None:
    data = encoded("for the machine")
    tags = {"owner": "me", "cost centre": "7"}
    vm = made(site, keys, nic, tags=tags, userData=data, priority="Spot", evictionPolicy="Delete")
    told = Metadata(site.cloud, vm).ask(f"/metadata/instance?api-version={VERSION}")
    assert told.status == 200
    compute = told.body["compute"]
    assert compute["name"] == "vm"
    assert compute["vmId"] == vm["properties"]["vmId"]
    assert compute["resourceId"] == vm["id"]
    assert compute["resourceGroupName"] == site.group
    assert compute["subscriptionId"] == site.cloud.info.subscription_id
    assert (compute["location"], compute["vmSize"]) == ("eastus", "Standard_D2s_v5")
    assert (compute["priority"], compute["evictionPolicy"]) == ("Spot", "Delete")
    assert compute["tags"] == "owner:me;cost centre:7"
    assert compute["tagsList"] == [{"name": key, "value": tags[key]} for key in tags]
    assert (compute["userData"], compute["customData"]) == (data, "")
    assert compute["osProfile"]["adminUsername"] == "ipython"
    assert compute["publicKeys"][0]["keyData"] == keys.login_public
    assert compute["storageProfile"]["osDisk"]["name"].startswith("vm_OsDisk_1_")
    (interface,) = told.body["network"]["interface"]
    private = address_of(site.get("networkInterfaces", "nic").body)
    assert interface["ipv4"]["ipAddress"][0] == {"privateIpAddress": private, "publicIpAddress": ""}
    assert interface["ipv4"]["subnet"] == [{"address": site.prefix[:-3], "prefix": "20"}]
    assert len(bytes.fromhex(interface["macAddress"])) == 6
    shown = site.get("virtualMachines", "vm").body["properties"]
    assert "userData" not in shown


def test_older_versions_show_less_and_parts_can_be_asked_for(
    site: Site, keys: Keys, nic: str
) -> None:
    metadata = Metadata(site.cloud, made(site, keys, nic))
    old = metadata.ask("/metadata/instance?api-version=2017-04-02").body["compute"]
    assert "name" in old
    assert not {"subscriptionId", "tagsList", "userData", "resourceId"} & set(old)
    text = f"api-version={VERSION}&format=text"
    assert metadata.ask(f"/metadata/instance/compute/name?{text}") == (200, "vm")
    assert metadata.ask(f"/metadata/instance?{text}").text == "compute/\nnetwork/"
    part = metadata.ask(f"/metadata/instance/network/interface/0/ipv4?api-version={VERSION}")
    assert set(part.body) == {"ipAddress", "subnet"}
    for path in ("compute/nothing", "network/interface/9", "compute/name/more"):
        assert metadata.ask(f"/metadata/instance/{path}?{text}").status == 404


def test_what_the_metadata_service_refuses(site: Site, keys: Keys, nic: str) -> None:
    metadata = Metadata(site.cloud, made(site, keys, nic))
    path = f"/metadata/instance?api-version={VERSION}"
    missing = metadata.ask(path, headers={})
    assert missing.status == 400
    assert missing.body == {"error": "Bad request. Required metadata header not specified"}
    forwarded = {"Metadata": "true", "X-Forwarded-For": "192.0.2.1"}
    assert metadata.ask(path, headers=forwarded).status == 400
    for query in ("", "?api-version=2021-02-02"):
        refused = metadata.ask("/metadata/instance" + query)
        assert refused.status == 400
        assert "api-version" in refused.body["error"]
        assert len(refused.body["newest-versions"]) == 3
    assert metadata.ask(path, method="POST", body={}).status == 405
    assert metadata.ask("/metadata/nothing?api-version=2021-02-01").status == 404
    other = metadata.url.rsplit("/", 1)[0] + "/guessed"
    metadata.url = other
    assert metadata.ask(path).status == 404


def test_a_deleted_vm_is_told_nothing(site: Site, keys: Keys, nic: str) -> None:
    metadata = Metadata(site.cloud, made(site, keys, nic))
    site.deleted("virtualMachines", "vm")
    assert metadata.ask(f"/metadata/instance?api-version={VERSION}").status == 404


async def test_programs_of_a_machine_find_it(host: Host) -> None:
    command = (
        "curl -sS -H Metadata:true "
        f'"$IPCLUSTER_AZURE_IMDS/metadata/instance/compute/name?api-version={VERSION}&format=text"'
    )
    async with host.connect() as connection:
        assert (await connection.run(command)).stdout == "controller"


async def test_user_data_serves_where_there_is_no_custom_data(lan: Site, keys: Keys) -> None:
    nic = lan.nic("nic", lan.network())
    script = encoded("#!/bin/sh\ntouch from-user-data\n")
    vm = made(lan, keys, nic["id"], userData=script)
    machine = Path(lan.cloud.info.state_dir) / "machines" / vm["properties"]["vmId"]
    await until((machine / "home" / USER / "from-user-data").exists, "it has not run")


# Scheduled Events


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("still")
    yield from running(directory, machines="none", clock="virtual", seed=5)


@pytest.fixture
def slow(still: Cloud) -> Iterator[Site]:
    """A site on a virtual clock with a network and one interface."""
    site = Site(still, f"still-{next(numbers)}", "10.0.0.0/20")
    space = {"addressPrefixes": [site.prefix]}
    subnet = {"name": "main", "properties": {"addressPrefix": site.prefix}}
    site.put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": [subnet]})
    place = {"id": f"{site.id}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/main"}
    ip = [{"name": "primary", "properties": {"subnet": place}}]
    site.put("networkInterfaces", "nic", {"ipConfigurations": ip})
    client.advance(still.info, 60)
    yield site
    still.call("DELETE", site.path)
    client.advance(still.info, 10_000)


def begun(site: Site, keys: Keys, **more: Any) -> Metadata:
    """A VM that exists, and whose Scheduled Events are switched on."""
    nic_id = f"{site.id}/providers/Microsoft.Network/networkInterfaces/nic"
    site.put("virtualMachines", "vm", vm_body(keys, nic_id)["properties"] | more)
    client.advance(site.cloud.info, 120)
    return Metadata(site.cloud, site.get("virtualMachines", "vm").body)


async def switched_on(metadata: Metadata, cloud: Cloud) -> Any:
    first = asyncio.ensure_future(asyncio.to_thread(metadata.ask, EVENTS))
    await asyncio.sleep(0.2)
    assert not first.done()  # on Azure it takes up to two minutes
    await asyncio.to_thread(client.advance, cloud.info, 121)
    return (await first).body


def now(cloud: Cloud) -> datetime:
    return datetime.fromisoformat(client.advance(cloud.info, 0)["now"])


async def test_an_eviction_is_announced(slow: Site, keys: Keys) -> None:
    cloud = slow.cloud
    with testing.faults(cloud.info, testing.fault("evicted", after_s=1000, notice_s=30)):
        metadata = begun(slow, keys, priority="Spot", evictionPolicy="Deallocate")
    empty = await switched_on(metadata, cloud)
    assert empty["Events"] == []
    while not metadata.events():
        client.advance(cloud.info, 10)
    document = metadata.ask(EVENTS).body
    assert document["DocumentIncarnation"] > empty["DocumentIncarnation"]
    (event,) = document["Events"]
    assert (event["EventType"], event["EventStatus"]) == ("Preempt", "Scheduled")
    assert (event["ResourceType"], event["Resources"]) == ("VirtualMachine", ["vm"])
    assert (event["EventSource"], event["DurationInSeconds"]) == ("Platform", -1)
    begins = parsedate_to_datetime(event["NotBefore"])
    assert 0 < (begins - now(cloud)).total_seconds() <= 30
    client.advance(cloud.info, 31)
    shown = slow.cloud.call("GET", slow.provider("virtualMachines", "vm", "instanceView")).body
    assert shown["statuses"][-1]["code"] == "PowerState/deallocated"
    assert metadata.events() == []


TERMINATE = {"terminateNotificationProfile": {"enable": True, "notBeforeTimeout": "PT10M"}}


async def test_a_deletion_waits_for_the_notice(slow: Site, keys: Keys) -> None:
    cloud = slow.cloud
    metadata = begun(slow, keys, scheduledEventsProfile=TERMINATE)
    await switched_on(metadata, cloud)
    assert slow.delete("virtualMachines", "vm").status == 202
    client.advance(cloud.info, 1)
    (event,) = metadata.events()
    assert (event["EventType"], event["EventSource"]) == ("Terminate", "User")
    client.advance(cloud.info, 590)
    assert slow.get("virtualMachines", "vm").status == 200
    assert metadata.events()[0]["EventStatus"] == "Scheduled"
    client.advance(cloud.info, 400)
    assert slow.get("virtualMachines", "vm").status == 404


async def test_an_approved_event_begins_at_once(slow: Site, keys: Keys) -> None:
    cloud = slow.cloud
    metadata = begun(slow, keys, scheduledEventsProfile=TERMINATE)
    await switched_on(metadata, cloud)
    answer = slow.delete("virtualMachines", "vm")
    client.advance(cloud.info, 1)
    (event,) = metadata.events()
    for wrong in ({}, {"StartRequests": "x"}, {"StartRequests": [{"EventId": "unknown"}]}, 7):
        assert metadata.ask(EVENTS, method="POST", body=wrong).status == 400
    approval = {"StartRequests": [{"EventId": event["EventId"]}]}
    assert metadata.ask(EVENTS, method="POST", body=approval).status == 200
    client.advance(cloud.info, 1)
    (event,) = metadata.events()
    assert (event["EventStatus"], event["NotBefore"]) == ("Started", "")
    client.advance(cloud.info, 330)
    assert cloud.wait_for(answer)["status"] == "Succeeded"


def test_instances_have_their_sets_profile_and_events_of_their_own(slow: Site, keys: Keys) -> None:
    cloud = slow.cloud
    place = f"{slow.id}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/main"
    body = scale_set_body(keys, place, 2)
    body["properties"]["virtualMachineProfile"]["scheduledEventsProfile"] = TERMINATE
    cloud.call("PUT", slow.provider("virtualMachineScaleSets", "set"), body)
    client.advance(cloud.info, 200)
    first, second = slow.get("virtualMachines").body["value"]
    told = {vm["name"]: Metadata(cloud, vm) for vm in (first, second)}
    compute = told[first["name"]].ask(f"/metadata/instance?api-version={VERSION}").body["compute"]
    assert compute["vmScaleSetName"] == "set"
    path = slow.provider("virtualMachineScaleSets", "set", "delete")
    cloud.call("POST", path, {"instanceIds": [first["name"]]})
    client.advance(cloud.info, 1)
    for name, metadata in told.items():
        # The first request waits for the clock.
        thread = threading.Thread(target=metadata.ask, args=(EVENTS,))
        thread.start()
        while thread.is_alive():
            client.advance(cloud.info, 5)
        events = metadata.events()
        assert [event["Resources"] for event in events] == (
            [[first["name"]]] if name == first["name"] else []
        )


# Identities


def test_a_token_of_a_system_assigned_identity(
    site: Site, keys: Keys, nic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = made(site, keys, nic, identity={"type": "SystemAssigned"})
    identity = vm["identity"]
    assert set(identity) == {"type", "principalId", "tenantId"}
    metadata = Metadata(site.cloud, vm)
    body = metadata.ask(f"{TOKEN}&resource={MANAGEMENT}").body
    assert set(body) >= {"access_token", "expires_on", "expires_in", "resource", "token_type"}
    assert (body["resource"], body["token_type"]) == (MANAGEMENT, "Bearer")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata.url)
    with ManagedIdentityCredential() as credential:
        token = credential.get_token(f"{MANAGEMENT}.default").token
    claims = jwt.decode(token, options={"verify_signature": False}, audience=MANAGEMENT)
    assert claims["tid"] == identity["tenantId"]
    assert claims["oid"] == claims["sub"] == identity["principalId"]
    assert (claims["idtyp"], claims["xms_mirid"]) == ("app", vm["id"])
    assert claims["appid"] == body["client_id"]
    assert claims["exp"] - claims["iat"] == int(body["expires_in"])
    # Without a role assignment it may do nothing.
    refused = site.cloud.call("GET", site.path, headers={"Authorization": f"Bearer {token}"})
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    assert identity["principalId"] in refused.body["error"]["message"]


def test_tokens_that_are_refused(site: Site, keys: Keys, nic: str) -> None:
    without = Metadata(site.cloud, made(site, keys, nic))
    for query, reason in (
        (f"&resource={MANAGEMENT}", "Identity not found"),
        ("", "Required query variable 'resource' is missing"),
        (f"&resource={MANAGEMENT}&client_id=unknown", "Identity not found"),
    ):
        refused = without.ask(TOKEN + query)
        assert refused.status == 400
        assert refused.body == {"error": "invalid_request", "error_description": reason}
    missing = f"{site.id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/none"
    identity = {"type": "UserAssigned", "userAssignedIdentities": {missing: {}}}
    body = vm_body(keys, nic)["properties"]
    answer = site.put("virtualMachines", "other", body, identity=identity)
    assert (answer.status, answer.code) == (400, "FailedIdentityOperation")
