"""The page on controlling the emulator names every route, function and kind of fault."""

import re

from azure_emulator import client
from azure_emulator.front.control_routes import ROUTES
from azure_emulator.rules.fault_rules import KINDS

from .markdown import ROOT, text_of

PAGE = ROOT / "docs" / "reference" / "emulator-control.md"


def _first_cells(pattern: str) -> list[tuple[str, ...]]:
    return re.findall(rf"^\| {pattern} \|", text_of(PAGE), re.MULTILINE)


def test_every_control_route_is_described() -> None:
    described = [
        (method, re.sub("ID$", "", path)) for method, path in _first_cells(r"`([A-Z]+) (\S+)`")
    ]
    assert described == sorted(described, key=list(ROUTES).index)
    assert set(described) == set(ROUTES)


def test_every_function_that_is_named_exists() -> None:
    named = re.findall(r"^\| `[A-Z]+ \S+` \| `(\w+)` \|", text_of(PAGE), re.MULTILINE)
    assert len(named) > 10
    assert all(callable(getattr(client, name)) for name in named)


def test_every_kind_of_fault_is_described_with_its_members() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`[^|]*)?)\|", text_of(PAGE), re.MULTILINE)
    described = {kind: set(re.findall(r"`(\w+)`", members)) for kind, members in rows}
    assert described == {kind: set(members) for kind, members in KINDS.items()}
