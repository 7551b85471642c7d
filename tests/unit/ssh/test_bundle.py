"""What the machines are given: complete, private, and sent once."""

import ast
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from traitlets.config.loader import PyFileConfigLoader

from ipcluster_azure.ssh.bundle import (
    ENTRIES,
    ON_VM,
    PACKAGES,
    SCRIPTS,
    bundle_of,
    controller_config,
    controller_upload,
    engine_upload,
    heartbeat_ms,
)

SENT_BY_THEMSELVES = (
    "lookout.py",
    "take.py",
    "own_files.py",
    "packages.py",
    "results.py",
    "notebook.py",
    "notebook_files.py",
    "end.py",
)
ODD = "a b; rm -rf \"$HOME\" `x` $(y) 'ü'\nnext"


def _content(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert {member.mode for member in members} == {0o600}
        return {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def test_all_machines_share_the_scripts_and_the_profiles_files(tmp_path: Path) -> None:
    (tmp_path / "ipcontroller_config.py").write_text("c.HeartMonitor.period = 77\n")
    (tmp_path / "ipengine_config.py").write_text("c.IPEngine.timeout = 7\n")
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / "README").write_text("not code")
    (tmp_path / "startup" / "a.py").write_text("x = 1\n")
    made = bundle_of(tmp_path)
    content = _content(made.data)
    modules = {
        f"{package}/{path.name}"
        for package, folder in PACKAGES.items()
        for path in (ON_VM / folder).glob("*.py")
    }
    assert len(modules) > 20
    assert set(content) == {
        *SCRIPTS,
        *ENTRIES,
        *modules,
        "profile/ipengine_config.py",
        "profile/startup/a.py",
    }
    assert content["profile/startup/a.py"] == b"x = 1\n"
    assert made.sha256 == hashlib.sha256(made.data).hexdigest()


def test_files_that_engines_run_are_sent_whatever_their_path(tmp_path: Path) -> None:
    profile, other = tmp_path / "profile_azure", tmp_path / "ü b"
    profile.mkdir()
    other.mkdir()
    (other / "a.py").write_text("x = 1\n")
    (tmp_path / "a.py").write_text("x = 2\n")
    run = [("~/a.py", str(other / "a.py")), ("gone.py", "/no/gone.py"), ("a", f"{tmp_path}/a.py")]
    content = _content(bundle_of(profile, run).data)
    sent = json.loads(content["profile/sent_files.json"])
    assert sent == [["~/a.py", "sent/0/a.py"], ["gone.py", ""], ["a", "sent/2/a.py"]]
    assert content["profile/sent/0/a.py"] == b"x = 1\n"
    assert content["profile/sent/2/a.py"] == b"x = 2\n"
    assert "profile/sent_files.json" not in _content(bundle_of(profile).data)


def test_no_script_is_forgotten() -> None:
    scripts = {path.name for path in (ON_VM / "scripts").glob("*.py")}
    assert scripts == {*SCRIPTS.values(), *SENT_BY_THEMSELVES, "__init__.py"}


def test_names_on_the_machines_are_those_that_other_versions_run() -> None:
    names = {"vm_agent.py", "vm_boot.py", "vm_depot.py", "vm_environment.py", "vm_guard.py"}
    assert names == {*ENTRIES}


def test_a_bundle_changes_with_the_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1e9)
    before = bundle_of(tmp_path)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert bundle_of(tmp_path) == before
    (tmp_path / "ipengine_config.py").write_text("c.IPEngine.timeout = 7\n")
    assert bundle_of(tmp_path).sha256 != before.sha256


def test_the_controllers_upload_holds_the_bundle(tmp_path: Path) -> None:
    made = bundle_of(tmp_path)
    content = _content(
        controller_upload(made, b"config", {"ODD": ODD, "IPP_PROFILE_DIR": "/x"}, {"age_s": 1})
    )
    assert content[made.path] == made.data
    assert content["profile/ipcontroller_config.py"] == b"config"
    assert json.loads(content["guard_settings.json"]) == {"age_s": 1}
    assert b"IPP_PROFILE_DIR" not in content["variables.sh"]
    script = content["variables.sh"].decode() + 'printf %s "$ODD"'
    printed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout
    assert printed.decode() == ODD


def test_what_crosses_the_users_line_for_each_machine_is_small() -> None:
    upload = engine_upload({"key": "secret", "ports": list(range(10))}, {"A": "1"})
    assert set(_content(upload)) == {"engine.json", "variables.sh", "vm_take.py"}
    assert len(upload) < 1600


@pytest.mark.parametrize("folder", ["scripts", "install", "depot"])
def test_the_oldest_python_of_an_image_can_read_what_it_runs(folder: str) -> None:
    paths = list((ON_VM / folder).glob("*.py"))
    assert paths
    for path in paths:
        ast.parse(path.read_text(), feature_version=(3, 8))


def test_the_profile_wins_over_our_heartbeat(tmp_path: Path) -> None:
    (tmp_path / "ipcontroller_config.py").write_text("c.HeartMonitor.period = 77\n")
    assert _loaded(controller_config(tmp_path, 4), tmp_path) == (77, 100)
    assert _loaded(controller_config(tmp_path / "none", 4), tmp_path) == (300, 100)


@pytest.mark.parametrize("own", ["from __future__ import annotations\n", "# a comment", "x = 1"])
def test_the_profiles_lines_are_the_first(tmp_path: Path, own: str) -> None:
    (tmp_path / "ipcontroller_config.py").write_text(own)
    made = controller_config(tmp_path, 4)
    assert made.startswith(own.encode())
    assert _loaded(made, tmp_path) == (300, 100)


def _loaded(config: bytes, folder: Path) -> tuple[int, int]:
    """Period and misses of the heartbeat, as traitlets reads a configuration."""
    (folder / "made_config.py").write_bytes(config)
    heart = PyFileConfigLoader("made_config.py", path=str(folder)).load_config().HeartMonitor
    return heart.period, heart.max_heartmonitor_misses


@pytest.mark.parametrize(("n", "period"), [(1, 300), (32, 320), (100, 1000), (1000, 3000)])
def test_the_heartbeat_grows_with_the_engines(n: int, period: int) -> None:
    assert heartbeat_ms(n) == period
