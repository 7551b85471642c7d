"""What an engine does with new files: modules imported anew, and names that stand for the new."""

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.agent.own_files import OwnFiles, renew
from ipcluster_azure.own_files.choice import Choice
from ipcluster_azure.own_files.collect import collect


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An engine's working directory; what is imported from there is forgotten afterwards."""
    before, path = dict(sys.modules), list(sys.path)
    (tmp_path / "home").mkdir()
    yield tmp_path / "home"
    sys.path[:] = path
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def put(home: Path, **files: str) -> Path:
    """Write modules, and the manifest of them all; returns its path."""
    for name, text in files.items():
        (home / f"{name}.py").write_text(text)
    for compiled in home.glob("__pycache__/*"):
        compiled.unlink()
    manifest = home.parent / "files.json"
    new = manifest.with_suffix(".new")
    new.write_text(collect(Choice(home, ("auto",), 64)).manifest.to_json())
    new.replace(manifest)
    return manifest


def type_in(code: str, space: dict[str, Any]) -> None:
    """Run what a client would have the engine execute."""
    exec(code, space)  # noqa: S102


def test_names_stand_for_what_is_new(home: Path) -> None:
    text = "def f(): return {0}\nclass C: value = {0}\nstate = []\n"
    manifest = put(home, one_own=text.format(1), two_own="from one_own import f\n")
    own, space = OwnFiles(home, manifest), dict[str, Any]()
    own.look(space)
    type_in(
        "import one_own, two_own, json\nfrom one_own import f, C as D\nold = D()\nx = f()", space
    )
    space["one_own"].state.append("kept?")
    own.look(space)
    assert space["one_own"].state == ["kept?"]  # nothing has come, so nothing is touched

    put(home, one_own=text.format(2))
    own.look(space)
    assert space["f"]() == space["one_own"].f() == space["two_own"].f() == 2
    assert space["D"].value == 2
    assert (space["x"], type(space["old"]).value) == (1, 1)  # values stay what they are
    assert space["one_own"].state == []
    assert space["json"] is json


def test_data_alone_leaves_modules_alone(home: Path) -> None:
    manifest = put(home, one_own="state = []")
    own, space = OwnFiles(home, manifest), dict[str, Any]()
    own.look(space)
    type_in("import one_own", space)
    module = space["one_own"]
    content = json.loads(manifest.read_text())
    content["files"]["data.csv"] = ["0" * 64, 3]
    manifest.with_suffix(".new").write_text(json.dumps(content))
    manifest.with_suffix(".new").replace(manifest)
    own.look(space)
    assert space["one_own"] is module is sys.modules["one_own"]


def test_a_module_that_fails_says_why_and_is_tried_again(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = put(home, one_own="x = 1", two_own="y = 1")
    own, space = OwnFiles(home, manifest), dict[str, Any]()
    own.look(space)
    type_in("import one_own, two_own", space)
    put(home, one_own="x = 1 / 0", two_own="y = 2")
    own.look(space)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert space["two_own"].y == 2
    with pytest.raises(ZeroDivisionError):
        type_in("import one_own", space)
    put(home, one_own="x = 3")
    own.look(space)
    type_in("import one_own", space)
    assert space["one_own"].x == 3


def test_modules_of_others_stay(home: Path) -> None:
    put(home, one_own="x = 1")
    sys.path.insert(0, str(home))
    type_in("import one_own", {})
    others = {name: module for name, module in sys.modules.items() if name != "one_own"}
    assert renew({str(home / "one_own.py")}, {}) == []
    assert others.items() <= sys.modules.items()
    assert "one_own" not in sys.modules


def test_packages_that_came_can_be_imported_at_once(home: Path) -> None:
    """Python notes what a folder holds, and its clock may be too coarse to see a change."""
    manifest = put(home, one_own="")
    own = OwnFiles(home, manifest)
    own.look({})
    packages = home.parent / "site-packages"
    packages.mkdir()
    sys.path.append(str(packages))
    assert importlib.util.find_spec("came_later") is None
    stat = packages.stat()
    (packages / "came_later.py").touch()
    os.utime(packages, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    own.look({})
    assert importlib.util.find_spec("came_later") is None
    (home.parent / "environment.json").write_text("{}")
    own.look({})
    assert importlib.util.find_spec("came_later") is not None
