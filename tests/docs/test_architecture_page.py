"""docs/architecture.md names every room, and files that exist; it stays a page that one reads."""

import re

import pytest

from .markdown import ROOT, text_of

PAGE = ROOT / "docs" / "architecture.md"
SECTIONS = {
    "ipcluster_azure": "The rooms of the launcher",
    "azure_emulator": "The rooms of the emulator",
}


def section(heading: str) -> str:
    return text_of(PAGE).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("package", SECTIONS)
def test_every_room_has_a_row(package: str) -> None:
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    rows = re.findall(r"^\| ([^|]+) \|", section(SECTIONS[package]), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == rooms


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)`", text_of(PAGE))
    files = [path.as_posix() for path in ROOT.glob("*/**/*.py") if ".venv" not in path.parts]
    assert len(named) > 10
    assert not [name for name in named if not any(file.endswith(f"/{name}") for file in files)]


def test_it_can_be_read_in_one_go() -> None:
    lines = text_of(PAGE).splitlines()
    assert len(lines) <= 200
    assert max(map(len, lines)) <= 110
