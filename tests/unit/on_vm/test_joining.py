"""Machines that join by themselves: how many engines each runs, and what ends with the cluster."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.agent.instance_metadata import created_s
from ipcluster_azure.on_vm.agent.joining import Joins
from ipcluster_azure.on_vm.agent.work_dir import WorkDir

OFFER = {"engine": {"task": 1}, "depot": "http://10.42.0.4:1/x"}


def _request(machine: str, **changes: Any) -> dict[str, Any]:
    return {"join": "s", "machine": machine, "n": 5, "most": 2, "delete": "/sets/s?x", **changes}


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    (tmp_path / "offer.json").write_text(json.dumps(OFFER))
    return WorkDir(str(tmp_path))


def test_the_engines_of_a_set_are_shared_out(work: WorkDir) -> None:
    joins = Joins(work, {})
    shares = [joins.answer(_request(f"m{number}"))["engines"] for number in (1, 2, 1, 3, 4)]
    assert shares == [2, 2, 2, 1, 0]
    other = joins.answer(_request("m1", join="t"))
    assert other == {"engines": 2, **OFFER}


def test_a_guard_that_takes_over_shares_out_no_engine_twice(work: WorkDir) -> None:
    first = Joins(work, {})
    first.answer(_request("m1"))
    second = Joins(work, json.loads(json.dumps(first.shown())))
    assert [second.answer(_request(name))["engines"] for name in ("m2", "m3", "m1")] == [2, 1, 2]


def test_nobody_joins_a_controller_that_is_not_ready(tmp_path: Path) -> None:
    joins = Joins(WorkDir(str(tmp_path)), {})
    assert joins.answer(_request("m1")) == {"engines": None}
    assert joins.shown()["joins"]["engines"] == {}


def test_sets_that_have_joined_are_deleted_first_and_once(work: WorkDir) -> None:
    joins = Joins(work, {})
    for machine, url in (("m1", "/sets/s?x"), ("m2", "/sets/s?x"), ("m3", "/sets/t?x"), ("m4", "")):
        joins.answer(_request(machine, delete=url))
    settings = {"delete": ["/sets/s?x", "/vm?x"], "audience": "a"}
    assert joins.with_sets(settings) == {
        "delete": ["/sets/t?x", "/sets/s?x", "/vm?x"],
        "audience": "a",
    }


def test_when_a_cluster_was_created_is_in_its_machines_tags() -> None:
    tags = [{"name": "x", "value": "1"}, {"name": "Ipcluster-Azure-Created", "value": ""}]
    assert created_s({}) is None
    assert created_s({"tagsList": tags}) is None
    tags[1]["value"] = "2026-02-03T04:05:06+00:00"
    assert created_s({"tagsList": tags}) == 1770091506.0


def test_a_boot_that_fails_says_why(tmp_path: Path) -> None:
    boot = {
        "kind": "image",
        "image_python": "/no/python",
        "address": "127.0.0.1",
        "key": "k",
        "cmd": ["ipcontroller"],
        "args": [],
        "variables": "",
        "delete": [],
        "port": 0,
        "max_lifetime_s": 0,
        "idle_timeout_s": 0,
        "grace_s": 1,
        "resource_manager": "https://x",
        "audience": "",
        "ca_pem": "",
    }
    (tmp_path / "boot.json").write_text(json.dumps(boot))
    module = "from ipcluster_azure.on_vm.agent.boot import main"
    line = f"import sys; {module}; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", line, "controller"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        timeout=60,
    )
    assert done.returncode == 1
    state = json.loads((tmp_path / "boot_state.json").read_text())
    assert state["state"] == "failed"
    assert "offering it to the engines" in state["reason"]
    assert "vm_depot.py" in (tmp_path / "log" / "boot.log").read_text()
    assert (tmp_path / "guard_settings.json").stat().st_mode & 0o077 == 0
