"""URLs whose api-version was rewritten after the recording: the URLs in the answers kept it."""

from __future__ import annotations

import re

from .sessions import Exchange

# .NET's recordings of 2017 and 2018 were moved to a later api-version like that.
VERSION = re.compile(r"/providers/Microsoft\.Compute/.*[?&]api-version=(?P<version>[\w-]+)", re.I)
KEPT_SINCE = "2019"


def version_of(exchanges: list[Exchange]) -> str | None:
    """Compute's api-version with which the session was recorded, if its URLs don't say so."""
    for exchange in exchanges:
        match = VERSION.search(exchange.headers.get("azure-asyncoperation", ""))
        year = exchange.headers.get("date", "")[12:16]
        if match and year < KEPT_SINCE and match["version"] < exchange.query["api-version"]:
            return match["version"]
    return None
