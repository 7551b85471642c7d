"""Machines bring the Python environment that engines run in up to date."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.ssh.bundle import ON_VM
from tests.package_index import PackageIndex, served

from .machines import Machine, files, locked


@pytest.fixture
def machine(tmp_path: Path, index: PackageIndex) -> Machine:
    """A machine that has packages one and two."""
    machine = Machine(tmp_path / "machine")
    machine.lock(files(index, "one-1.0", "two-1.0"))
    machine.ok("build")
    return machine


def look(machine: Machine) -> Any:
    script = ON_VM / "scripts" / "packages.py"
    command = [sys.executable, "-IS", script]
    return json.loads(
        subprocess.run(command, cwd=machine.dir, check=True, capture_output=True).stdout
    )


def test_only_new_packages_leave_engines_as_they_are(machine: Machine, index: PackageIndex) -> None:
    assert look(machine)["versions"] == {"one": "1.0", "two": "1.0"}
    machine.lock(files(index, "one-1.0", "two-1.0", "three-1.0"))
    index.asked.clear()
    assert machine.ok("update")["environment"]["outdated"] is False
    assert len(index.asked) == 1  # the others are there
    found = look(machine)
    assert found["versions"] == {"one": "1.0", "two": "1.0", "three": "1.0"}
    assert found["made"][1].keys() == {"one", "two", "three"}
    assert found["outdated"] is False


@pytest.mark.parametrize("names", [["one-2.0", "two-1.0"], ["one-1.0"]], ids=["other", "gone"])
def test_what_engines_may_have_loaded_is_noted_until_they_are_new(
    machine: Machine, index: PackageIndex, names: list[str]
) -> None:
    machine.lock(files(index, *names))
    assert machine.ok("update")["environment"]["outdated"] is True
    assert {path.name for path in machine.wheels.iterdir()} == {
        f"{name}-py3-none-any.whl" for name in names
    }
    assert machine.ok("update")["environment"]["outdated"] is True
    assert look(machine)["outdated"] is True


def test_a_wheel_of_the_same_name_and_version_is_exchanged(
    machine: Machine, index: PackageIndex
) -> None:
    other = PackageIndex()
    file = other.add("two", "1.0", "three")
    with served(other):
        machine.lock([*files(index, "one-1.0"), locked(other, file)])
        assert machine.ok("update")["environment"]["outdated"] is True
    (metadata,) = machine.env.glob("lib/*/site-packages/two-1.0.dist-info/METADATA")
    assert "Requires-Dist: three" in metadata.read_text()


def test_nothing_is_changed_before_all_wheels_are_there(
    machine: Machine, index: PackageIndex
) -> None:
    (lacking,) = files(index, "one-2.0")
    machine.lock([*files(index, "three-1.0"), {**lacking, "url": "http://127.0.0.1:9/one.whl"}])
    events = machine.ok("update")
    assert "environment" not in events
    assert events["unreachable"]["files"] == [lacking["file"]]
    assert machine.versions() == {"one": "1.0", "two": "1.0"}
    assert look(machine)["outdated"] is False


def test_the_controller_offers_the_wheels_of_now(machine: Machine, index: PackageIndex) -> None:
    machine.ok("offer")
    machine.lock(files(index, "one-2.0", "two-1.0"))
    machine.ok("update")
    machine.ok("offer")
    offered = {path.name: path.stat().st_size for path in (machine.dir / "depot").glob("*.whl")}
    wheels = files(index, "one-2.0", "two-1.0")
    assert offered == {f"{one['sha256']}.whl": one["size"] for one in wheels}
