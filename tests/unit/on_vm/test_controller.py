"""The agent's command `controller`, with a real ipcontroller."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import ipyparallel as ipp

from .agents import Agent, processes_of, wait_for


def test_a_controller_is_ready_and_started_once(bare: Agent) -> None:
    ready = bare.controller("--cluster-id=mine")
    security = bare.dir / "profile" / "security"
    files = {s: security / f"ipcontroller-mine-{s}.json" for s in ("client", "engine")}
    assert ready["event"] == "ready"
    assert ready["client"]["location"] == bare.ip
    assert ready["python"] == ".".join(map(str, sys.version_info[:3]))
    assert ready["ipyparallel"] == ipp.__version__
    added = {"client": {}, "engine": {"guard": ready["engine"]["guard"]}}
    for side, file in files.items():
        assert ready[side] == json.loads(file.read_text()) | added[side]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(bare.dir.stat().st_mode) == 0o700
    assert list(bare.home.iterdir()) == []

    limits = Path(f"/proc/{ready['pid']}/limits").read_text().splitlines()
    soft, hard = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
    assert soft == hard

    assert bare.controller("--cluster-id=mine") == ready
    assert len(processes_of(bare.dir)) > 5


def test_controller_that_dies_is_reported_with_its_log(bare: Agent) -> None:
    failed = bare.failed("controller", "--ip=127.70.2.4", "--", "--IPController.ports=nonsense")
    assert "ipcontroller exited with 1 before it was ready" in failed["reason"]
    assert failed["log"] in failed["reason"]
    assert "nonsense" in failed["log_tail"]


def test_controller_too_late_is_killed(bare: Agent) -> None:
    failed = bare.failed("controller", "--ip=127.70.2.4", "--timeout-s=0.1")
    assert "not ready after 0.1 s" in failed["reason"]
    assert processes_of(bare.dir) == []


def test_files_of_a_killed_controller_are_not_taken_for_ready(bare: Agent) -> None:
    first = bare.controller()
    bare.kill_everything()
    wait_for(lambda: not processes_of(bare.dir))
    second = bare.controller()
    assert second["client"]["key"] != first["client"]["key"]
    bare.kill_everything()
    wait_for(lambda: not processes_of(bare.dir))
    third = bare.controller("--", "--reuse")
    assert third["client"] == second["client"]
    assert third["pid"] != second["pid"]
