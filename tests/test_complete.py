"""What stays in `make test` of a series, and what `make complete` adds."""

import pytest

from .complete import one_in, variants_but


def _values(cases: list[object]) -> list[object]:
    """The cases, and those that are variants in a list of their own each."""
    return [list(case.values) if hasattr(case, "values") else case for case in cases]


def test_the_first_and_each_nth_after_it_stay() -> None:
    assert _values(one_in(3, "abcde")) == ["a", ["b"], ["c"], "d", ["e"]]
    pairs = one_in(2, [("a", 1), ("b", 2)])
    assert _values(pairs) == [("a", 1), ["b", 2]]
    assert [mark.name for mark in pairs[1].marks] == ["skipif"]


def test_what_is_named_stays_and_must_be_there() -> None:
    assert _values(variants_but("b", "abc")) == [["a"], "b", ["c"]]
    with pytest.raises(AssertionError, match="no case"):
        variants_but("d", "abc")
