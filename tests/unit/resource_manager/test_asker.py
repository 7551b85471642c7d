"""Who asks Azure, and what keeps his clusters from being told from those of others."""

import pytest

from ipcluster_azure.naming import Owner
from ipcluster_azure.resource_manager.asker import doubts


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (Owner("o@t", "f" * 32, "me@here"), []),
        (Owner("", "f" * 32, "me@here"), ["known by your name alone, me@here"]),
        (Owner("o@t", "", "me@here"), ["home-id can be neither read nor written"]),
        (Owner("", "", "me@here"), ["known by your name alone", "neither read nor written"]),
    ],
)
def test_doubts(owner: Owner, words: list[str]) -> None:
    found = doubts(owner)
    assert len(found) == len(words)
    for doubt, word in zip(found, words, strict=True):
        assert word in doubt
