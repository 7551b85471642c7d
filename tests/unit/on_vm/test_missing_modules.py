"""What a client is told when its function needs a module that the engines don't have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ipyparallel as ipp
import pytest

from .agents import TIMEOUT_S, Agent, connect

HINT = "The engines don't have no_such_module_of_ours."


class Unknown:
    """Travels to the engines as a reference to a module that only this process has."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return __import__, ("no_such_module_of_ours",)


@ipp.interactive
def imports_it(*_: object) -> None:
    import no_such_module_of_ours  # noqa: F401


@ipp.interactive
def imports_a_part_of_it() -> None:
    import no_such_module_of_ours.deep.inside  # noqa: F401


@ipp.interactive
def imports_a_part_of_what_is_there() -> None:
    import json.no_such_part  # noqa: F401


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


def error_of(result: Any) -> ipp.error.RemoteError:
    with pytest.raises(ipp.error.RemoteError) as caught:
        result.get(timeout=TIMEOUT_S)
    found = caught.value
    if isinstance(found, ipp.error.CompositeError):
        (found,) = (ipp.error.RemoteError(*element[:4]) for element in found.elist)
    return found


def test_a_missing_module_is_explained_by_every_way_to_an_engine(engines: ipp.DirectView) -> None:
    client = engines.client
    answers = {
        "apply": engines.apply_async(imports_it),
        "map": engines.map_async(imports_it, [1]),
        "load-balanced": client.load_balanced_view().apply_async(imports_it),
        "a part of it": engines.apply_async(imports_a_part_of_it),
        "an argument": engines.apply_async(print, Unknown()),
        "push": engines.push({"it": Unknown()}, block=False),
        "execute": engines.execute("import no_such_module_of_ours", block=False),
    }
    for way, result in answers.items():
        error = error_of(result)
        assert error.ename == "ModuleNotFoundError", way
        assert HINT in str(error), way
        assert "c.AzureVMLauncher.requirements" in error.evalue, way
        assert "packages.md" in error.traceback, way


def test_nothing_else_is_explained(engines: ipp.DirectView) -> None:
    error = error_of(engines.apply_async(imports_a_part_of_what_is_there))
    assert error.evalue == "No module named 'json.no_such_part'"
    assert "engines don't have" not in error.traceback
    seen = engines.apply_async(looks_for_it).get(timeout=TIMEOUT_S)
    assert seen == [(True, "No module named 'no_such_module_of_ours'")]
    assert engines.apply_async(sum, [1, 2]).get(timeout=TIMEOUT_S) == [3]
