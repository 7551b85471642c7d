"""What time it is by Azure: by the Date of its answers, as this computer's clock may be wrong."""

import functools
import logging
import sys
import time
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from ..endpoint import Endpoint

log = logging.getLogger(__name__)


class AzureClock:
    """Goes by the last Date that was heard, and by how long ago that was."""

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None
        self._has_warned = False

    def hear(self, answer: requests.Response, **_: Any) -> None:
        """Note an answer's Date; a hook of a session."""
        try:
            date = parsedate_to_datetime(answer.headers.get("Date", ""))
        except (ValueError, TypeError, OverflowError):
            return
        self._heard = date.replace(tzinfo=date.tzinfo or timezone.utc), passed_s()

    def now(self) -> datetime:
        """Return the time in UTC; by this computer's clock, with one warning, if none was heard."""
        if self._heard is None:
            if not self._has_warned:
                log.warning("Azure has told no time yet: it is taken from this computer's clock")
            self._has_warned = True
            return datetime.now(timezone.utc)
        date, heard_at = self._heard
        return (date + timedelta(seconds=passed_s() - heard_at)).astimezone(timezone.utc)


def passed_s() -> float:
    """Return seconds since some moment, which also pass while the computer sleeps, and which no
    setting of its clock changes."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":  # where time.monotonic() stands still in sleep
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


@functools.lru_cache
def clock_at(url: str) -> AzureClock:
    """Return the clock of an endpoint, which login.py lets hear all of its answers."""
    return AzureClock()


def azure_now(endpoint: Endpoint) -> datetime:
    """Return what time it is by Azure, of which something should have been asked just before."""
    return clock_at(endpoint.url).now()
