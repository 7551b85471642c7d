"""The guard's last errand goes on, whatever the Resource Manager does to be silent."""

import threading
from pathlib import Path

import pytest

from ipcluster_azure.on_vm.agent import deletion
from ipcluster_azure.on_vm.agent.deletion import Deletion
from ipcluster_azure.on_vm.agent.instance_metadata import Answer

from ..resource_manager.silent_servers import is_gone, server, trickles


def test_an_answer_that_comes_a_byte_at_a_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "ATTEMPT_S", 0.5)
    monkeypatch.setattr(deletion, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(
        deletion,
        "metadata",
        lambda *_, **__: Answer({"access_token": "t", "expires_on": "4102444800"}, None),
    )
    answers = [trickles, trickles, is_gone]
    with server(tmp_path, lambda connection: answers.pop(0)(connection)) as slow:
        settings = {
            "resource_manager": slow.endpoint.url,
            "audience": "a",
            "ca_pem": Path(slow.endpoint.ca_file).read_text(),
            "delete": ["group?api-version=1"],
        }
        running = threading.Thread(target=Deletion(settings).run, daemon=True)
        running.start()
        running.join(60)
    assert not running.is_alive()
    assert slow.asked == 3
