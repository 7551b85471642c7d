"""Deletions that meet what is still under way."""

import asyncio
import json
import threading
import time
from dataclasses import replace

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.start.provision import creates_in_flight
from ipcluster_azure.stop.teardown import delete_cluster
from tests.unit.plans import CLUSTER
from tests.unit.record.test_record import _record

from .conftest import Profile, wait_for


class _Log:
    def info(self, text: str, *args: object) -> None:
        """Nobody reads it."""


def test_a_deletion_waits_for_a_create_call_whose_task_is_gone(
    bare_profile: Profile, emulator: EmulatorInfo
) -> None:
    """A DELETE that overtakes the PUT finds nothing, and then the PUT lands."""
    endpoint = Endpoint(emulator.endpoint, emulator.endpoint, emulator.ca_file, emulator.token_file)
    plan = replace(CLUSTER, subscription_id=emulator.subscription_id)
    record = replace(_record(), endpoint=endpoint, plan=plan, resources=[], engine_sets={})
    file = RecordFile.of(str(bare_profile.folder), "c1")
    file.create(record)

    def slow_put() -> None:
        time.sleep(0.7)
        with AzureApi(endpoint, plan.subscription_id) as api:
            api.put_group(plan.resource_group, "eastus", {})

    thread = threading.Thread(target=creates_in_flight.call, args=(file.path, slow_put))
    thread.start()
    asyncio.run(delete_cluster(file, Progress(_Log())))
    thread.join()
    assert plan.resource_group not in bare_profile.left_on_azure()["resource_groups"]
    assert file.read() is None


def test_the_link_ends_with_the_record(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    record = profile.folder / "security" / "azure-.json"
    content = record.read_text()
    assert json.loads(content)["link_pid"] in [item.pid for item in profile.processes()]
    record.unlink()
    link = json.loads(content)["link_pid"]
    wait_for(lambda: link not in [item.pid for item in profile.processes()])
    record.write_text(content)
    profile.ipcluster("stop")
    profile.assert_nothing_left()
