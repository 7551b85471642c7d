"""Each row of the page of failures names a test that exists."""

import re

import pytest

from .markdown import ROOT, text_of

PAGE = ROOT / "docs" / "explanation" / "failures.md"
ROWS = [line for line in text_of(PAGE).splitlines() if re.match(r"\| (?!failure|---)", line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_tests_of_a_row_exist(row: str) -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row.split("|")[-2])
    assert named, "the row names no test"
    for file, test in named:
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob(file)]
        assert any(re.search(rf"^(async )?def {test}\(", text, re.MULTILINE) for text in texts)


def test_there_are_rows_of_every_kind() -> None:
    assert len(ROWS) > 30
