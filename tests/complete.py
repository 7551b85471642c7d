"""What `make test` leaves to `make kills` and `make complete`, so that it ends in time.

Of tests that are much alike one stays; nothing is deleted. CONTRIBUTING.md says when to use which.
"""

import os
from collections.abc import Iterable
from typing import Any

import pytest

COMPLETE = bool(os.environ.get("IPCLUSTER_AZURE_TEST_COMPLETE"))
long_series = pytest.mark.skipif(not COMPLETE, reason="a long series, run by `make kills`")
variant = pytest.mark.skipif(not COMPLETE, reason="much like another, run by `make complete`")


def one_in(count: int, cases: Iterable[Any]) -> list[Any]:
    """For `parametrize`: the first case and every `count`-th after it, the others as variants.

    A case is a value or, for several names, a tuple of them.
    """
    return [case if number % count == 0 else _variant(case) for number, case in enumerate(cases)]


def variants_but(kept: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """For `parametrize` of one name: the cases in `kept`, and the others as variants."""
    staying, of_all = list(kept), list(cases)
    assert set(staying) <= set(of_all), "what stays is no case"
    return [case if case in staying else _variant(case) for case in of_all]


def _variant(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=variant)
