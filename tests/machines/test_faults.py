"""What is declared to go wrong with a machine goes wrong, and what runs past its time is killed."""

import json

import psutil

from azure_emulator import client
from azure_emulator.http_client import ask
from tests.end_to_end.conftest import wait_for

from .conftest import Laptop

MARK = "86399"  # of a `sleep` that nobody else has
API = "2024-07-01"


def sleepers() -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cmdline()[:2] == ["sleep", MARK]:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_a_script_past_its_time_leaves_no_process(laptop: Laptop, cluster: str) -> None:
    plan = laptop.record()["plan"]
    names = client.status(laptop.emulator.state_dir)["virtual_machines"]
    (controller,) = [name for name in names if name.endswith("controller")]
    path = (
        f"/subscriptions/{laptop.emulator.subscription_id}/resourceGroups/{plan['resource_group']}"
        f"/providers/Microsoft.Compute/virtualMachines/{controller.rpartition('/')[2]}"
        f"/runCommands/slow"
    )
    script = f"echo begun; sh -c 'sleep {MARK}; :'"
    body = {
        "location": "eastus",
        "properties": {"source": {"script": script}, "timeoutInSeconds": 3},
    }
    ask(laptop.emulator, "PUT", f"{path}?api-version={API}", body)

    def view() -> dict[str, object]:
        shown = ask(laptop.emulator, "GET", f"{path}?api-version={API}&$expand=instanceView")
        found: dict[str, object] = shown["properties"]["instanceView"]
        return found

    wait_for(lambda: view()["executionState"] not in ("Running", "Pending"), 60)
    assert view()["executionState"] == "TimedOut", json.dumps(view())
    assert "begun" in str(view()["output"])
    assert sleepers() == []


def test_logins_of_the_index_are_for_the_machines_user_alone(laptop: Laptop, cluster: str) -> None:
    variables = laptop.on_machine("controller", "cat /etc/environment")
    assert 'PIP_EXTRA_INDEX_URL="https://pypi.org/simple"' in variables
    assert "a-secret" not in variables
    kept = laptop.on_machine("controller", "stat -c %a%U ~/.netrc; cat ~/.netrc; id -un")
    assert kept.splitlines() == [
        "600azureuser",
        "machine pypi.org login somebody password a-secret",
        "azureuser",
    ]
    others = "sudo -u nobody cat /home/azureuser/.netrc /root/.netrc"
    assert "a-secret" not in laptop.on_machine("controller", others, expect=1)
    code = (
        "def task():\n import os\n"
        " return [open('/etc/environment').read(), os.path.exists('/home/azureuser/.netrc')]"
    )
    assert laptop.on_engines(code)[0] == ["", False]
