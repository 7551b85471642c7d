"""What a client is told when its function needs a module that the engines don't have."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest
from ipyparallel import serialize

from ipcluster_azure.on_vm.agent.missing_modules import hint

from .agents import TIMEOUT_S, Agent, connect

# a package of this process alone, as those are of an environment that the engines haven't got
SOURCE = """
class Frame:
    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, which):
        return Frame(self.values[which])


def total(frame):
    return sum(frame.values)


class Compiled:  # as numba's are: no function, and pickled by what it was made of
    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        return self.function(*args)

    def __reduce__(self):
        return rebuild, (self.function.__name__,)


def rebuild(name):
    return Compiled(globals()[name])


fast_total = Compiled(total)
"""


@ipp.interactive
def imports_it(*_: object) -> None:
    import no_such_module_of_ours  # noqa: F401


@ipp.interactive
def imports_a_part_of_it() -> None:
    import no_such_module_of_ours.deep.inside  # noqa: F401


@ipp.interactive
def imports_it_by_its_name() -> None:
    import importlib

    importlib.import_module("no_such_module_of_ours")


@ipp.interactive
def imports_it_and_raises_that_again() -> None:
    try:
        import no_such_module_of_ours  # noqa: F401
    except ImportError:
        raise


@ipp.interactive
def imports_a_part_of_what_is_there() -> None:
    import json.no_such_part  # noqa: F401


@ipp.interactive
def complains_of_it() -> None:
    raise ModuleNotFoundError("No module named 'no_such_module_of_ours'")


@ipp.interactive
def complains_of_it_as_python_does() -> None:
    name = "no_such_module_of_ours"
    raise ModuleNotFoundError(f"No module named '{name}'", name=name)


@ipp.interactive
def looks_for_it() -> tuple[bool, str]:
    import importlib.util

    try:
        import no_such_module_of_ours  # noqa: F401
    except ModuleNotFoundError as error:
        found = importlib.util.find_spec("no_such_module_of_ours")
        return found is None, str(error)
    return False, ""


@pytest.fixture
def engines(agent: Agent) -> Iterator[ipp.DirectView]:
    agent.engines("missing", 1)
    with connect(agent, 1) as client:
        yield client[:]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "no_such_module_of_ours.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    import no_such_module_of_ours

    yield no_such_module_of_ours
    del sys.modules["no_such_module_of_ours"]


def error_of(result: Any) -> ipp.error.RemoteError:
    with pytest.raises(ipp.error.RemoteError) as caught:
        result.get(timeout=TIMEOUT_S)
    found = caught.value
    if isinstance(found, ipp.error.CompositeError):
        (found,) = (ipp.error.RemoteError(*element[:4]) for element in found.elist)
    return found


def assert_explained(answers: dict[str, Any], module: str = "no_such_module_of_ours") -> None:
    for way, result in answers.items():
        error = error_of(result)
        assert error.ename == "ModuleNotFoundError", way
        assert f"The engines don't have {module}: " in str(error), way
        assert "c.AzureVMLauncher.requirements" in error.evalue, way
        assert "packages.md" in error.traceback, way


def test_a_missing_module_is_explained_by_every_way_to_an_engine(engines: ipp.DirectView) -> None:
    client = engines.client
    answers = {
        "apply": engines.apply_async(imports_it),
        "map": engines.map_async(imports_it, [1]),
        "load-balanced": client.load_balanced_view().apply_async(imports_it),
        "broadcast": client.broadcast_view().apply_async(imports_it),
        "a part of it": engines.apply_async(imports_a_part_of_it),
        "by name": engines.apply_async(imports_it_by_its_name),
        "again": engines.apply_async(imports_it_and_raises_that_again),
        "execute": engines.execute("import no_such_module_of_ours", block=False),
    }
    assert_explained(answers)


def test_what_can_not_be_unpickled_for_want_of_a_module_is_explained(
    engines: ipp.DirectView, package: Any
) -> None:
    view, frame = engines.client.load_balanced_view(), package.Frame([1, 2])
    answers = {
        "an argument": engines.apply_async(len, frame),
        "an argument of a name": engines.apply_async(len, values=frame),
        "a function of it": engines.apply_async(package.total, [1, 2]),
        "a compiled one": engines.apply_async(package.fast_total, [1, 2]),
        "map": engines.map_async(package.total, [frame]),
        "load-balanced": view.apply_async(package.total, frame),
        "load-balanced map": view.map_async(package.fast_total, [frame]),
        "push": engines.push({"it": frame}, block=False),
        "scatter": engines.scatter("it", frame, block=False),
        "in a closure": engines.apply_async(lambda: len(frame)),
    }
    assert_explained(answers)


@pytest.mark.parametrize("way", ["cloudpickle", "dill"])
def test_a_way_of_pickling_that_the_engines_do_not_know_is_explained(
    engines: ipp.DirectView, way: str
) -> None:
    """It is asked for in a task whose answer nobody waits for: the later calls tell of it."""
    engines.execute(
        f"import sys; sys.modules[{way!r}] = None", block=True
    )  # as if it weren't there
    asked = getattr(engines, f"use_{way}")()
    try:
        answers = {"asking": asked, "later": engines.apply_async(lambda: 1)}
        assert_explained(answers, way)
    finally:
        serialize.use_pickle()


@pytest.mark.parametrize("given", ["sync", "minimal", "image", "lock"])
def test_the_advice_is_true_for_what_the_machines_were_given(given: str) -> None:
    text = hint("scipy", given)
    assert text.startswith("The engines don't have scipy: ")
    advised = {
        "sync": "`ipcluster-azure sync`",
        "minimal": "c.AzureVMLauncher.requirements",
        "image": "on the image",
        "lock": "c.AzureVMLauncher.python_lock",
    }
    assert advised[given] in text
    assert ("ipcluster-azure sync" in text) == (given != "image")
    assert hint("scipy", "") == hint("scipy", "sync")  # of a launcher that doesn't say it


def test_nothing_else_is_explained(engines: ipp.DirectView) -> None:
    error = error_of(engines.apply_async(imports_a_part_of_what_is_there))
    assert error.evalue == "No module named 'json.no_such_part'"
    assert "engines don't have" not in error.traceback
    for complains in (complains_of_it, complains_of_it_as_python_does):
        error = error_of(engines.apply_async(complains))
        assert error.evalue == "No module named 'no_such_module_of_ours'"
        assert "engines don't have" not in error.traceback
    seen = engines.apply_async(looks_for_it).get(timeout=TIMEOUT_S)
    assert seen == [(True, "No module named 'no_such_module_of_ours'")]
    assert engines.apply_async(sum, [1, 2]).get(timeout=TIMEOUT_S) == [3]
