import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from ipcluster_azure import bootstrap
from ipcluster_azure.bootstrap import (
    agent_command,
    check_versions,
    environment_of,
    heartbeat_ms,
    payload,
    profile_files,
)
from ipcluster_azure.cluster_file import add_engine_set, remove_engine_set
from ipcluster_azure.errors import BootstrapFailed
from ipcluster_azure.record import Environment

ODD = "a b; rm -rf \"$HOME\" `x` $(y) 'ü'\nnext"
IMAGE = Environment("image", "/opt/my python/bin/python", [], "3.11", "9.2.0")


def _content(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert {member.mode for member in members} == {0o600}
        return {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def test_the_upload_holds_scripts_files_and_variables() -> None:
    content = _content(payload({"engine.json": b"{}"}, {"ODD": ODD, "IPP_PROFILE_DIR": "/here"}))
    assert set(content) == {"vm_agent.py", "vm_environment.py", "variables.sh", "engine.json"}
    assert b"IPP_PROFILE_DIR" not in content["variables.sh"]
    script = content["variables.sh"].decode() + 'printf %s "$ODD"'
    printed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout
    assert printed.decode() == ODD


def test_the_upload_is_small() -> None:
    # it crosses the user's own line once for each machine
    assert len(payload({}, {})) < 20_000


def test_the_profile_wins_over_our_heartbeat(tmp_path: Path) -> None:
    (tmp_path / "ipcontroller_config.py").write_text("c.HeartMonitor.period = 77\n")
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / "README").write_text("not code")
    (tmp_path / "startup" / "a.py").write_text("x = 1\n")
    files = profile_files(tmp_path, 4)
    assert set(files) == {"profile/ipcontroller_config.py", "profile/startup/a.py"}
    lines = files["profile/ipcontroller_config.py"].decode().splitlines()
    assert lines.index("c.HeartMonitor.period = 300") < lines.index("c.HeartMonitor.period = 77")


@pytest.mark.parametrize(("n", "period"), [(1, 300), (32, 320), (100, 1000), (1000, 3000)])
def test_the_heartbeat_grows_with_the_engines(n: int, period: int) -> None:
    assert heartbeat_ms(n) == period


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
