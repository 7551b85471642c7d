"""What a start submits, on the wire, against what its job files say in the end.

On an emulator without machines: what goes over SSH has no other side there, so it is left out.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport
from ipyparallel import Cluster

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from azure_emulator.templates.plan import Plan
from azure_emulator.templates.scope import Surroundings
from ipcluster_azure.plan.job_parameters import SECRETS
from ipcluster_azure.record.contents import READY
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start import bring_up
from ipcluster_azure.start.engine_set import EngineSetStart

from .conftest import ON_EMULATOR

N = 2
LOG = logging.getLogger("test")
TEMPLATES = ("azure_controller-.json", "azure_engineset-.json")
PARAMETERS = "azure_controller-.parameters.json"


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorInfo]:
    state_dir = tmp_path_factory.mktemp("submitted")
    yield client.start(state_dir, machines="none")
    client.stop(state_dir)


class Wire:
    """The bodies of what was put at Azure, by the ids of resources in lower case."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bodies: dict[str, dict[str, Any]] = {}
        send = RequestsTransport.send

        def noting(transport: Any, request: Any, **options: Any) -> Any:
            if request.method == "PUT":
                path = request.url.partition("?")[0]
                body = request.content if hasattr(request, "content") else request.body
                identity = "/subscriptions/" + path.partition("/subscriptions/")[2]
                self.bodies[identity.lower()] = json.loads(body)
            return send(transport, request, **options)

        monkeypatch.setattr(RequestsTransport, "send", noting)


@pytest.fixture
def wire(info: EmulatorInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wire:
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, info.state_dir)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    async def nothing(*_: Any, **__: Any) -> None:
        """There is no machine to do it on."""

    async def run(self: EngineSetStart, *_: Any) -> int:
        await asyncio.shield(self.controller.requesting)
        with self.context.file.edit() as record:
            record.controller.state = READY
        return N

    for name in ("open_gate", "_run_controller", "_open_tunnels"):
        monkeypatch.setattr(bring_up, name, nothing)
    monkeypatch.setattr(EngineSetStart, "run", run)
    return Wire(monkeypatch)


def started(folder: Path, config: str = "") -> Any:
    folder.mkdir()
    text = f"{ON_EMULATOR}c.Cluster.delay = 0\nc.AzureVMLauncher.name_template = 'n-{{random}}'\n"
    (folder / "ipcluster_config.py").write_text(text + config)
    cluster = Cluster(
        profile_dir=str(folder), cluster_id="", shutdown_atexit=False, log=LOG, parent=None
    )
    asyncio.run(cluster.start_cluster(N))
    return cluster


def evaluated(template: dict[str, Any], info: EmulatorInfo, group: str, given: Any) -> Plan:
    identity = f"/subscriptions/{info.subscription_id}/resourceGroups/{group}"
    around = Surroundings(
        subscription_id=info.subscription_id,
        tenant_id="55555555-6666-7777-8888-999999999999",
        group={"id": identity, "name": group, "location": "eastus", "tags": {}},
        deployment={"name": "main", "properties": {"mode": "Incremental"}},
        now=datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc),
        new_uuid=lambda: "11111111-2222-4333-8444-555555555555",
    )
    return Plan(template, {name: {"value": value} for name, value in given.items()}, around)


def test_what_a_start_submits_is_what_its_job_files_say(
    wire: Wire, info: EmulatorInfo, tmp_path: Path
) -> None:
    folder = tmp_path / "profile"
    cluster = started(folder)
    record = RecordFile.of(str(folder), "").require()
    try:
        submitted = dict(wire.bodies)
        made = [json.loads((folder / name).read_text()) for name in TEMPLATES]
        parameters = json.loads((folder / PARAMETERS).read_text())["parameters"]
        assert {*parameters} == {*SECRETS}
        compared = 0
        for template in made:
            names = {one["name"] for one in template["resources"] if "condition" not in one}
            own = {key: body for key, body in submitted.items() if key.split("/")[-1] in names}
            (machines,) = [body for body in own.values() if "osProfile" in json.dumps(body)]
            profile = machines["properties"].get("virtualMachineProfile", machines["properties"])
            (key,) = profile["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"]
            under = dict.fromkeys(SECRETS, "x") | {
                "sshPublicKey": key["keyData"],
                "customData": profile["osProfile"]["customData"],
                "tags": machines["tags"],
                "selfDeletion": False,
            }
            if "addressDeleteOption" in template["parameters"]:
                under["addressDeleteOption"] = "Detach"
            plan = evaluated(template, info, record.plan.resource_group, under)
            assert len(plan.deployed) == len(names)
            for planned in plan.deployed:
                assert planned.body(plan.evaluator) == submitted[planned.key]
                compared += 1
        assert compared == 6  # group, address, network, interface, machine; scale set
        both = {name: item["value"] for name, item in parameters.items()}
        for template in made:  # without a start's customData they have all that starts a cluster
            data = evaluated(template, info, "lab", both).parameters.get("customData")
            assert len(data) > 10_000
    finally:
        asyncio.run(cluster.stop_cluster())
    assert not (folder / PARAMETERS).exists()


def test_what_job_files_can_not_carry_is_said_in_them(wire: Wire, tmp_path: Path) -> None:
    Path("mine.py").write_text("x = 1")
    folder = tmp_path / "profile"
    cluster = started(folder, "c.AzureVMLauncher.sync_paths = ['mine.py']\n")
    try:
        for name in TEMPLATES:
            template = json.loads((folder / name).read_text())
            assert "can't carry your own files: mine.py" in template["metadata"]["description"]
            assert "programs" not in template["parameters"]
            secrets = folder / name.replace(".json", ".parameters.json")
            assert "customData" in json.loads(secrets.read_text())["parameters"]
    finally:
        asyncio.run(cluster.stop_cluster())
