"""What can't be built here: named, all of it, with what to type."""

from pathlib import Path

import pytest

from ipcluster_azure.environment.installed import Distribution
from ipcluster_azure.errors import ConfigurationError
from tests.package_index import PackageIndex

from ..made_packages import make_project
from .test_prepare import distribution, installed, locked, prepared


def editable(name: str, folder: Path) -> Distribution:
    told = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    return distribution(name, "1.0", direct_url=told)


def test_projects_that_do_not_build(index: PackageIndex, tmp_path: Path) -> None:
    broken = make_project(tmp_path / "b", "broken", in_build="raise SystemExit('no compiler')")
    native = make_project(tmp_path / "n", "native", tag="cp311-cp311-win_amd64")
    here = installed(
        editable("broken", broken), editable("native", native), editable("lost", tmp_path / "x")
    )

    result = prepared(here, tmp_path, imported=frozenset(["ipyparallel"]))

    assert locked(result).keys() == {"ipyparallel"}
    assert result.summary == "4 packages: 1 fetched here, 3 left out: broken, lost, native"
    first, second, third = result.warnings
    assert first.startswith("Left out, as the machines can't have it: broken 1.0: can't be built")
    assert "no compiler" in first
    assert "lost 1.0: can't be built: the folder" in second
    assert "native-1.0-cp311-cp311-win_amd64.whl" in third
    assert third.endswith('sync_exclude = ["broken", "lost", "native"] does without.')
    assert third.count("sync_exclude") == 1

    with pytest.raises(ConfigurationError) as caught:
        prepared(here, tmp_path, imported=frozenset(["broken"]))
    for name in ("broken 1.0", "lost 1.0", "native 1.0"):
        assert name in str(caught.value)
    assert "\n" not in str(caught.value)
