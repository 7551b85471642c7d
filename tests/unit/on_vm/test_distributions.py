"""What an agent says of the packages that its Python has."""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.agent import distributions
from ipcluster_azure.on_vm.agent.distributions import (
    differences,
    found_environment,
    installed,
    same_version,
)
from ipcluster_azure.on_vm.agent.work_dir import WorkDir

from .agents import Agent


def test_versions_that_matter_for_pickles_are_told(tmp_path: Path) -> None:
    found = found_environment(WorkDir(str(tmp_path)))
    assert found["python"] == "{}.{}.{}".format(*sys.version_info)
    assert found["packages"]["numpy"] == importlib.metadata.version("numpy")
    assert found["packages"]["ipyparallel"] == found["ipyparallel"]
    assert found["differences"] == []  # there is no lock: it is the image's environment


def test_each_difference_from_the_lock_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"numpy": "2.2.0", "six": "1.16.0", "zope-interface": "5.0", "date": "2025.01.02"}
    monkeypatch.setattr(distributions, "installed", lambda: found)
    locked = [
        {"name": "numpy", "version": "2.2.6"},
        {"name": "Zope.Interface", "version": "5.0"},
        {"name": "pandas", "version": "2.3.0"},
        {"name": "date", "version": "2025.1.2"},
    ]
    assert differences(locked) == [
        {"name": "numpy", "locked": "2.2.6", "found": "2.2.0"},
        {"name": "pandas", "locked": "2.3.0", "found": None},
        {"name": "six", "locked": None, "found": "1.16.0"},
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.0", "1.0", True),
        ("1.0", "1.0.0", True),
        ("1.0+local", "1.0+local", True),
        ("1.0", "1.0.post1", False),
        ("not a version", "1.0", False),
        (None, "1.0", False),
    ],
)
def test_when_versions_are_the_same(one: str | None, other: str | None, same: bool) -> None:
    assert same_version(one, other) is same


def test_engines_say_how_they_differ_from_the_lock(bare: Agent) -> None:
    """As a set does whose machine has another version of a package than was sent to it."""
    mine: list[dict[str, Any]] = [
        {"name": name, "version": version} for name, version in installed().items()
    ]
    (numpy,) = (package for package in mine if package["name"] == "numpy")
    found, numpy["version"] = numpy["version"], "0.0.1"
    (bare.dir / "wheels.json").write_text(json.dumps({"packages": mine}))
    expected = [{"name": "numpy", "locked": "0.0.1", "found": found}]
    assert bare.controller()["differences"] == expected
    assert bare.engines("s", 1)["differences"] == expected
