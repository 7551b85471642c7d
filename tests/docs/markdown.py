"""The project's Markdown files, taken apart as far as the tests need it."""

import re
import textwrap
from pathlib import Path

from ..project_files import ROOT, project_files


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    return [ROOT / path for path in project_files() if path.suffix == ".md"]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """Prose alone: fenced blocks, indented blocks and code spans are blanked."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^()\s]+)\)", without_code(text_of(page)))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(page: Path, heading: str) -> str:
    """The text below a heading of level 2, up to the next one."""
    _, found, rest = text_of(page).partition(f"\n## {heading}\n")
    assert found, f"{page.name} has no section {heading!r}"
    return rest.split("\n## ")[0]


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, code) of the fenced blocks that name a language, in their order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def code_blocks(text: str) -> list[str]:
    """The code of all fenced and indented blocks, in their order."""
    found = []
    fenced = r"^```\w*\n((?:.*\n)*?)```$"
    indented = r"(?<=\n\n) {4}\S.*(?:\n(?: {4}.*|(?=\n {4})))*"
    for block in re.finditer(f"{fenced}|{indented}", text, re.MULTILINE):
        found.append(block[1] or textwrap.dedent(block[0]))
    return found
