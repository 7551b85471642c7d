"""Recorded exchanges with Azure, asked of the emulator: the answers are alike.

The recordings are not part of this repository. IPCLUSTER_AZURE_RECORDINGS names their folder; else
shared/azure/recordings beside the checkout is taken, if it is there.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.replay import excused
from tests.replay.__main__ import play
from tests.replay.player import Result

ROOT = Path(__file__).parents[2]
FOLDER = Path(
    os.environ.get("IPCLUSTER_AZURE_RECORDINGS") or ROOT.parent / "shared/azure/recordings"
)
LARGEST_SHARE = 0.01

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no recordings at hand: {FOLDER} is not a folder"
)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    found = play([FOLDER], "")
    assert found, f"{FOLDER} holds no recordings"
    return found


def test_answers_are_alike_or_excused(results: list[Result]) -> None:
    excuses = excused.load()
    different = {
        f"{result.exchange.source} {result.exchange.what}": result.differences
        for result in results
        if result.differences and not excused.is_excused(result.exchange.source, excuses)
    }
    assert different == {}


def test_few_are_excused(results: list[Result]) -> None:
    excuses = excused.load()
    number = sum(excused.is_excused(result.exchange.source, excuses) for result in results)
    assert number <= LARGEST_SHARE * len(results)
