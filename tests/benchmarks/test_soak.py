"""A short soak; `make soak` is the long one."""

import pytest

from benchmarks import soak


@pytest.mark.timeout(600)
def test_nothing_is_left_after_a_dozen_deaths() -> None:
    section = soak.measure(rounds=12, seed=8, lanes=2)
    ends, growth = section.tables
    assert sum(int(row[1]) for row in ends.rows) == 12
    assert len(growth.rows) == 3
