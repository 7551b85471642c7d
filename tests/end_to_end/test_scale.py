"""A thousand machines, as far as Azure sees them: requests are counted, not timed."""

import asyncio
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from traitlets.config import Config

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.settings.values import Settings
from ipcluster_azure.ssh.keys import make_login_key
from ipcluster_azure.start import deployment, planning
from ipcluster_azure.start.machine_creation import machines_made
from ipcluster_azure.start.request import JobFile, ProcessSpec, StartContext
from ipcluster_azure.stop import teardown

MACHINES = 1000
MOST_WRITES = 12
REQUEST = re.compile(r" ([A-Z]+) (/subscriptions\S*) -> (\d+)$", re.MULTILINE)


@pytest.fixture
def throttling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorInfo]:
    """An emulator without machines that throttles as Azure does, and room for a thousand."""
    state_dir = tmp_path / "emulator"
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, str(state_dir))
    yield client.start(state_dir, machines="none", throttle=True, quota_cores=100_000)
    client.stop(state_dir)


def _settings(profile_dir: Path) -> tuple[Settings, Settings]:
    common = {"endpoint": "emulator", "address_prefix": "127.101.0.0/20"}
    config = Config(AzureVMLauncher=common, AzureVMEngineSetLauncher={"engines_per_vm": 1})
    kinds = AzureVMControllerLauncher, AzureVMEngineSetLauncher
    ours, engines = (kind(config=config, profile_dir=str(profile_dir)).settings() for kind in kinds)
    return ours, engines


async def _request(context: StartContext, ours: Settings, engines: Settings) -> int:
    """As the launchers do; the number of machines that exist then."""
    file = context.file
    path = file.profile_dir / "job.json"
    job = JobFile(path, lambda template: path.write_text(json.dumps(template)))
    site = await deployment.find_site(file, ours, engines, MACHINES)
    await deployment.request_controller(
        context,
        site,
        job,
        ProcessSpec(),
        login_key=make_login_key(),
        announce=lambda: None,
        on_network=lambda: None,
    )
    plans = await planning.plan_engines(file, engines, "set", MACHINES)
    await deployment.request_engines(context, plans, job)
    record = file.require()
    deadline = asyncio.get_running_loop().time() + 60
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        fleet = await machines_made(
            api,
            file,
            "set",
            MACHINES,
            dispensable=0,
            deadline=deadline,
            on_progress=lambda count: None,
        )
    return len({machine.address for machine in fleet.ready})


def test_a_thousand_machines_take_few_writes_and_no_refusal(
    throttling: EmulatorInfo, tmp_path: Path
) -> None:
    profile_dir = tmp_path / "profile_azure"
    (profile_dir / "security").mkdir(parents=True)
    file = RecordFile.of(str(profile_dir), "")
    progress = Progress(logging.getLogger("scale"))
    context = StartContext(file, progress)
    assert asyncio.run(_request(context, *_settings(profile_dir))) == MACHINES
    log = Path(throttling.state_dir, "emulator.log")
    seen = REQUEST.findall(log.read_text())
    assert Counter(method for method, *_ in seen)["PUT"] <= MOST_WRITES
    assert "429" not in {status for *_, status in seen}
    asyncio.run(teardown.delete_cluster(file, progress))
    assert client.status(throttling.state_dir)["resource_groups"] == []
    seen = REQUEST.findall(log.read_text())
    assert Counter(method for method, *_ in seen)["DELETE"] <= MOST_WRITES
    assert "429" not in {status for *_, status in seen}
