"""sshd's MaxStartups: connections that have not logged in are few, or dropped."""

from __future__ import annotations

import random

DROPPED = b"Exceeded MaxStartups\r\n"


class Startups:
    """MaxStartups 10:30:100: how many connections may be there that have not logged in.

    From the tenth on sshd drops one with a chance of 30 %, which grows to 100 % at the hundredth.
    """

    BEGIN, RATE_PERCENT, FULL = 10, 30, 100

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - as sshd's, it need not be repeatable
        self._waiting = 0

    def admit(self) -> bool:
        """Count a new connection and return True, or return False: it is to be dropped."""
        if self._waiting >= self.FULL or self._random.uniform(0, 100) < self._drop_percent():
            return False
        self._waiting += 1
        return True

    def _drop_percent(self) -> float:
        if self._waiting < self.BEGIN:
            return 0.0
        share = (self._waiting - self.BEGIN) / (self.FULL - self.BEGIN)
        return self.RATE_PERCENT + share * (100 - self.RATE_PERCENT)

    def settle(self) -> None:
        """Take note that a connection has logged in, or given up."""
        self._waiting -= 1
