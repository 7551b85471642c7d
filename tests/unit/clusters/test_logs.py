"""Since when logs are shown."""

from datetime import datetime, timezone

import pytest

from ipcluster_azure.clusters.log_reader import MAX_BYTES, Wanted, whole_lines
from ipcluster_azure.clusters.logs import parse_since
from ipcluster_azure.errors import ConfigurationError

NOW = datetime(2026, 11, 30, 10, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("1.5m", 90.0),
        ("2h", 7200.0),
        ("1d", 86_400.0),
        ("2026-11-30T09:59:00+00:00", 60.0),
        ("2026-11-30T12:59:00+03:00", 60.0),
        ("2026-12-30T10:00:00+00:00", 0.0),  # the future
        # before 1970, where clocks begin: a machine can't express it
        ("1900-01-01T00:00:00+00:00", NOW.timestamp()),
        ("9" * 20 + "h", NOW.timestamp()),
        ("9" * 400 + "d", NOW.timestamp()),
    ],
)
def test_a_time(text: str, seconds: float) -> None:
    assert parse_since(text, NOW) == seconds


def test_a_time_without_a_zone_is_this_computers() -> None:
    local = NOW.astimezone().replace(tzinfo=None)
    assert parse_since(local.isoformat(), NOW) == 0.0


@pytest.mark.parametrize("text", ["soon", "10", "-5m", "5 m", "nan", "1e3s", "2026-13-01"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no time: 30s, 10m, 2h, 1d"):
        parse_since(text, NOW)


def test_a_line_without_its_beginning_is_left_out() -> None:
    assert whole_lines("short\nlog\n") == "short\nlog\n"
    assert whole_lines("ü" * (MAX_BYTES // 2) + "\nwhole\n") == "whole\n"


def test_machines_of_other_versions_are_asked_for_what_they_can_do() -> None:
    """--since-s and --follow are new: without them the command is that of before."""
    assert Wanted().options("--controller") == ["--controller", "--max-bytes=200000"]
    assert Wanted("engine", "3", follow=True, since_s=60.0).options("--set=s") == [
        "--set=s",
        "--since-s=60",
        "--follow",
        "--max-bytes=200000",
    ]
