"""Nobody spends money by accident."""

import os
import subprocess
import sys

import pytest

from .spending import CAP, SUBSCRIPTION, Refused, agreed, worst_case


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, f"set {SUBSCRIPTION} and {CAP}"),
        ({CAP: "100"}, f"set {SUBSCRIPTION}. "),
        ({SUBSCRIPTION: "s"}, f"set {CAP}. "),
        ({SUBSCRIPTION: " ", CAP: "100"}, f"set {SUBSCRIPTION}. "),
        ({SUBSCRIPTION: "s", CAP: "ten"}, "'ten' is not an amount"),
        ({SUBSCRIPTION: "s", CAP: "inf"}, "'inf' is not an amount"),
        ({SUBSCRIPTION: "s", CAP: "nan"}, "'nan' is not an amount"),
        ({SUBSCRIPTION: "s", CAP: "-5"}, "over the cap of -5.00"),
        ({SUBSCRIPTION: "s", CAP: "0.1"}, "over the cap of 0.10"),
    ],
)
def test_refused(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused) as caught:
        agreed(environment)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_agreed() -> None:
    assert agreed({SUBSCRIPTION: "s", CAP: f"{worst_case()}"}).subscription_id == "s"


def test_pytest_itself_refuses_before_anything() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in (SUBSCRIPTION, CAP)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/azure", "--target=azure", "-p", "no:cacheprovider"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 4
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("ERROR: Not run on Azure: set")
