from pathlib import Path

import pytest

from ipcluster_azure.errors import BootstrapFailed
from ipcluster_azure.launchers.cluster_file import add_engine_set, remove_engine_set
from ipcluster_azure.record.contents import Environment
from ipcluster_azure.ssh import bootstrap
from ipcluster_azure.ssh.bootstrap import agent_command, check_versions, environment_of

IMAGE = Environment("image", "/opt/my python/bin/python", [], "3.11", "9.2.0")


def test_words_of_a_command_stay_words() -> None:
    command = agent_command(IMAGE, "engines", "--set=x y")
    assert "'/opt/my python/bin/python' vm_agent.py engines --dir=. '--set=x y'" in command


def test_the_environment_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"ipyparallel": "9.2.0", "numpy": "2.4.6"}
    monkeypatch.setattr(bootstrap, "_version", versions.__getitem__)
    environment = environment_of("minimal", "python3", ["scipy"])
    assert environment.requirements == ["ipyparallel==9.2.0", "numpy==2.4.6", "scipy"]


@pytest.mark.parametrize(
    ("python", "ipyparallel", "fits"),
    [("3.11.2", "9.2.0", True), ("3.12.2", "9.2.0", False), ("3.11.2", "9.1.0", False)],
)
def test_versions_must_match(python: str, ipyparallel: str, fits: bool) -> None:
    ready = {"python": python, "ipyparallel": ipyparallel}
    if fits:
        check_versions(ready, IMAGE, "vm")
    else:
        with pytest.raises(BootstrapFailed, match="functions can't travel"):
            check_versions(ready, IMAGE, "vm")


def test_engine_sets_join_and_leave_the_cluster_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster-.json"
    add_engine_set(path, "b", {"n": 2})  # stopped meanwhile: nothing to join
    assert not path.exists()
    path.write_text('{"controller": {"x": 1}, "engines": {"class": "azurevm", "sets": {"a": {}}}}')
    add_engine_set(path, "b", {"n": 2})
    assert '"controller": {"x": 1}' in path.read_text()
    assert '"b": {"n": 2}' in path.read_text()
    remove_engine_set(path, "b")
    remove_engine_set(path, "b")
    assert '"b"' not in path.read_text()
