"""All that is left to chance: streams of random numbers that one seed makes repeatable."""

from __future__ import annotations

import random


class Chance:
    """A stream of random numbers for each purpose; drawing from one leaves the others alone."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed

    def stream(self, purpose: str) -> random.Random:
        seed = None if self._seed is None else f"{self._seed}/{purpose}"
        return random.Random(seed)  # noqa: S311 - simulation, not secrecy
