"""Each setting has a row that says where its value arrives; without one the last test fails."""

import asyncio
import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.errors import BootTimeout, ConfigurationError
from ipcluster_azure.plan.cluster_plan import check_engine_count
from ipcluster_azure.plan.resource_types import (
    NIC,
    NSG,
    PUBLIC_IP,
    SCALE_SET,
    VIRTUAL_MACHINE,
    VIRTUAL_NETWORK,
)
from ipcluster_azure.settings.values import MADE_BY, Settings
from ipcluster_azure.ssh.guard_settings import guard_settings
from ipcluster_azure.start.machine_python import selection_of
from ipcluster_azure.start.preflight import find_place
from ipcluster_azure.start.start_controller import open_gate

from ..plans import SUBNET_ID, launcher
from .starts import Azure, Start, start_with

IMAGE_ID = "/subscriptions/s/resourceGroups/images/providers/Microsoft.Compute/images/python"
IDENTITY_ID = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/team/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/worker"
)
SERVICE = "https://address.example"
# keys, the engine set's digits, times
ANOTHER_EACH_TIME = (
    r'"customData": "[^"]*"|ssh-[a-z0-9]+ [\w+/]+|-e[0-9a-f]{4}\b|\d{4}-\d\d-\d\dT[\d:+]+'
)
CLOUD = "https://management.usgovcloudapi.net"


@dataclass(frozen=True)
class Row:
    """A `value` of its own for a setting, and what is then `seen` of it in a start.

    `needs` are other settings without which this one has no effect, or is refused.
    """

    value: Any
    seen: Callable[[Start], Any]
    expected: Any
    needs: Mapping[str, Any] = field(default_factory=dict)


def _machines(start: Start) -> tuple[Any, Any]:
    """The properties of the controller's machine and of the engines' machines."""
    controller = start.body(VIRTUAL_MACHINE)["properties"]
    return controller, start.body(SCALE_SET)["properties"]["virtualMachineProfile"]


def _of_both(*path: str) -> Callable[[Start], list[Any]]:
    """What stands at this path in either side's machines; None where there is nothing."""

    def seen(start: Start) -> list[Any]:
        found = []
        for node in _machines(start):
            for name in path:
                node = node.get(name, {})
            found.append(node or None)
        return found

    return seen


def _sizes(start: Start) -> list[Any]:
    controller = start.body(VIRTUAL_MACHINE)["properties"]["hardwareProfile"]["vmSize"]
    others = [size.name for size in start.record.controller.alternatives]
    return [controller, *others, start.body(SCALE_SET)["sku"]["name"]]


def _zones(start: Start) -> list[Any]:
    return [start.body(kind).get("zones") for kind in (VIRTUAL_MACHINE, SCALE_SET)]


def _ssh_rule(start: Start) -> Any:
    (rule,) = start.body(NSG)["properties"]["securityRules"]
    return rule["properties"]


def _nics(start: Start) -> list[Any]:
    """The controller's network interface, and the engines'."""
    _, engines = _machines(start)
    (engine_nic,) = engines["networkProfile"]["networkInterfaceConfigurations"]
    return [start.body(NIC), engine_nic]


def _subnets(start: Start) -> list[str]:
    configurations = [nic["properties"]["ipConfigurations"][0] for nic in _nics(start)]
    return [one["properties"]["subnet"]["id"] for one in configurations]


def _group(start: Start) -> Any:
    groups = {item.id.split("/")[4] for item in start.requests}
    return groups, start.plan.owns_resource_group, start.asked[-1].split("/")[:2]


def _lifetime_h(start: Start) -> float | None:
    """Hours between the times in the tags, by which `ipcluster-azure reap` knows what is over."""
    tags = start.body(NIC)["tags"]
    if "ipcluster-azure-expires" not in tags:
        return None
    created, expires = (
        datetime.fromisoformat(tags[f"ipcluster-azure-{name}"]) for name in ("created", "expires")
    )
    return (expires - created).total_seconds() / 3600


def _selected(name: str) -> Callable[[Start], Any]:
    """What is asked of the environment room."""
    return lambda start: getattr(selection_of(start.settings), name)


def _said_of(n: int) -> Callable[[Start], str]:
    """Why `n` engines are refused, up to the first semicolon or full stop; empty if they aren't."""

    def seen(start: Start) -> str:
        try:
            check_engine_count(start.settings, n)
        except ConfigurationError as error:
            return re.split(r"[;.]", str(error))[0]
        return ""

    return seen


def _boot_timeout_s(start: Start) -> float:
    """How long the start waits for the controller's machine to answer."""
    with start.context.file.edit() as record:
        record.controller.host = "203.0.113.99"

    async def wait() -> None:
        async with AsyncExitStack() as connections:
            await open_gate(start.context, record, connections)

    with pytest.raises(BootTimeout) as caught:
        asyncio.run(wait())
    return float(str(caught.value))


def _own_files(start: Start) -> list[str]:
    """The files that lie beside the record, to be sent."""
    data = start.context.file.own_archive.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()[1:]


def _bodies(start: Start) -> str:
    """What is asked for, less what is another in each start, as ANOTHER_EACH_TIME says."""
    bodies = json.dumps([item.body for item in start.requests])
    return re.sub(ANOTHER_EACH_TIME, "", bodies)


ROWS = {
    "subscription_id": Row(
        "s-7", lambda s: {item.id.split("/")[2] for item in s.requests}, {"s-7"}
    ),
    "tenant_id": Row("t-7.example", lambda s: s.record.endpoint.tenant_id, "t-7.example"),
    "location": Row(
        "westeurope", lambda s: {item.body["location"] for item in s.requests}, {"westeurope"}
    ),
    "resource_group": Row("team", _group, ({"team"}, False, ["resourceGroups", "team"])),
    "tags": Row({"a": "b"}, lambda s: {item.body["tags"].get("a") for item in s.requests}, {"b"}),
    "name_template": Row(
        "lab-{random}-{profile}",
        lambda s: {re.sub("[0-9a-f]{8}", "8", item.name)[:11] for item in s.requests},
        {"lab-8-azure"},
    ),
    "vm_size": Row(
        ["Standard_F8s_v2", "Standard_D4s_v5"],
        _sizes,
        ["Standard_F8s_v2", "Standard_D4s_v5", "Standard_F8s_v2"],
    ),
    "zones": Row(["2", "1"], _zones, [["2"], ["2"]]),
    "image": Row(IMAGE_ID, _of_both("storageProfile", "imageReference"), [{"id": IMAGE_ID}] * 2),
    "boot_diagnostics": Row(
        False, _of_both("diagnosticsProfile", "bootDiagnostics", "enabled"), [None, None]
    ),
    "os_disk_gb": Row(77, _of_both("storageProfile", "osDisk", "diskSizeGB"), [77, 77]),
    "admin_username": Row("ada", _of_both("osProfile", "adminUsername"), ["ada", "ada"]),
    "ssh_source": Row(
        ["10.0.0.0/8", "10.9.0.0/16"],
        lambda s: (_ssh_rule(s)["sourceAddressPrefixes"], s.plan.own_source, s.asked[0][:8]),
        (["10.0.0.0/8", "10.9.0.0/16"], "", "provider"),
    ),
    "public_ip_service": Row(
        SERVICE, lambda s: (s.asked[0], s.plan.public_ip_service), (SERVICE, SERVICE)
    ),
    "ssh_port": Row(
        2222,
        lambda s: (_ssh_rule(s)["destinationPortRange"], s.record.plan.ssh_port),
        ("2222", 2222),
    ),
    "address_prefix": Row(
        "10.7.0.0/24",
        lambda s: s.body(VIRTUAL_NETWORK)["properties"]["addressSpace"]["addressPrefixes"],
        ["10.7.0.0/24"],
    ),
    "subnet_id": Row(SUBNET_ID, _subnets, [SUBNET_ID, SUBNET_ID]),
    "public_ip": Row(
        False,
        lambda s: PUBLIC_IP in {item.type for item in s.requests},
        False,
        needs={"subnet_id": SUBNET_ID},
    ),
    "priority": Row("Spot", _of_both("priority"), [None, "Spot"]),
    "python_environment": Row("image", lambda s: s.record.environment.kind, "image"),
    "sync_python": Row("/opt/python", _selected("sync_python"), "/opt/python"),
    "python_lock": Row("uv.lock", _selected("python_lock"), "uv.lock"),
    "sync_exclude": Row(["torch"], _selected("sync_exclude"), ("torch",)),
    "sync_accept": Row(["torch==2.0"], _selected("sync_accept"), ("torch==2.0",)),
    "sync_strict": Row(True, _selected("sync_strict"), True),
    "image_python": Row(
        "/opt/python",
        lambda s: s.record.environment.image_python,
        "/opt/python",
        needs={"python_environment": "image"},
    ),
    "requirements": Row(["scipy", "pandas"], _selected("requirements"), ("scipy", "pandas")),
    "sync_paths": Row(["data.csv"], _own_files, ["data.csv"]),
    "sync_limit_mb": Row(0.5, lambda s: s.record.own_files.limit_mb, 0.5),
    "sync_back": Row(["r/*"], lambda s: s.record.own_files.back, ["r/*"]),
    "boot_timeout_s": Row(50.0, _boot_timeout_s, 50.0),
    "max_lifetime_h": Row(
        3.5,
        lambda s: (guard_settings(s.record)["max_lifetime_h"], _lifetime_h(s)),
        (3.5, 3.5),
    ),
    "idle_timeout_min": Row(7.5, lambda s: guard_settings(s.record)["idle_timeout_min"], 7.5),
    # the controller of these starts costs 20 cents an hour
    "max_cost": Row(
        0.5,
        lambda s: (s.record.cost.max_cost, guard_settings(s.record)["max_lifetime_h"]),
        (0.5, 2.5),
    ),
    "self_deletion": Row(
        "off",
        lambda s: (s.body(VIRTUAL_MACHINE).get("identity"), s.record.limits.self_deletion),
        (None, False),
    ),
    "max_engines": Row(8, _said_of(9), "9 engines are more than max_engines = 8 allows"),
    "min_engines": Row(
        2, _said_of(1), "min_engines = 2 is more than the number of engines that are asked for, 1"
    ),
    "ready_engines": Row(
        2,
        _said_of(1),
        "ready_engines = 2 is more than the number of engines that are asked for, 1",
    ),
    "engines_per_vm": Row(
        3, lambda s: (s.body(SCALE_SET)["sku"]["capacity"], s.engines.engines_on(0)), (3, 3)
    ),
    "engine_identity": Row(
        IDENTITY_ID,
        lambda s: s.body(SCALE_SET).get("identity"),
        {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY_ID: {}}},
    ),
    "extra_vm": Row(
        {"properties": {"licenseType": "RHEL_BYOS"}}, _of_both("licenseType"), ["RHEL_BYOS", None]
    ),
    "extra_scale_set": Row(
        {"properties": {"virtualMachineProfile": {"licenseType": "SLES_BYOS"}}},
        _of_both("licenseType"),
        [None, "SLES_BYOS"],
    ),
    "extra_nic": Row(
        {"properties": {"enableAcceleratedNetworking": True}},
        lambda s: [nic["properties"].get("enableAcceleratedNetworking") for nic in _nics(s)],
        [True, True],
    ),
    "endpoint": Row(
        CLOUD, lambda s: (s.record.endpoint.url, s.record.endpoint.audience), (CLOUD, CLOUD)
    ),
    "audience": Row(
        "https://a.example", lambda s: guard_settings(s.record)["audience"], "https://a.example"
    ),
}


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Azure:
    return Azure(monkeypatch)


@pytest.mark.parametrize("name", ROWS)
def test_a_setting_arrives(name: str, azure: Azure, tmp_path: Path) -> None:
    row = ROWS[name]
    without = start_with(azure, tmp_path / "without", **row.needs)
    assert row.seen(without) != row.expected, "the row would not notice that the setting is lost"
    azure.asked.clear()
    start = start_with(azure, tmp_path / "with", **{**row.needs, name: row.value})
    assert row.seen(start) == row.expected
    if _bodies(start) != _bodies(without) and name != "ssh_source":  # its rule may change
        assert name in MADE_BY, "the machines are made by it: it belongs into MADE_BY of values.py"


def test_every_setting_has_a_row() -> None:
    assert list(ROWS) == [item.name for item in fields(Settings)]


def test_a_group_that_does_not_exist_is_named(azure: Azure, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Resource group nobodys does not exist"):
        start_with(azure, tmp_path, resource_group="nobodys")


def test_the_right_to_delete_itself_can_be_required(azure: Azure, tmp_path: Path) -> None:
    start = start_with(azure, tmp_path, self_deletion="required")
    assert start.record.limits.self_deletion_required
    assert start.body(VIRTUAL_MACHINE)["identity"] == {"type": "SystemAssigned"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subscription_id", "own"),
        ("ssh_port", 23),
        ("address_prefix", "127.5.0.0/24"),
        ("ssh_source", ["127.0.0.1/32"]),
    ],
)
async def test_what_is_set_goes_before_what_the_emulator_offers(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    info = EmulatorInfo(
        endpoint="https://127.0.0.1:1",
        ca_file="ca.pem",
        token_file="token",
        subscription_id="offered",
        state_dir="emulator",
        pid=1,
    )
    offer = {"ssh_port": 2200, "address_prefix": "127.9.0.0/24", "ssh_source": "127.0.0.0/8"}
    monkeypatch.setattr("azure_emulator.client.start", lambda: info)
    monkeypatch.setattr("azure_emulator.client.offer", lambda info: offer)
    place = await find_place(launcher(endpoint="emulator", **{name: value}).settings())
    found = {
        "subscription_id": place.settings.subscription_id,
        "ssh_port": place.settings.ssh_port,
        "address_prefix": place.settings.address_prefix,
        "ssh_source": list(place.ssh_sources),
    }
    offered = {**offer, "subscription_id": "offered", "ssh_source": ["127.0.0.0/8"]}
    assert found == {**offered, name: value}
