"""Template functions on dates: ISO 8601, and UTC where a text does not say otherwise."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from .dates import dotnet_format
from .signatures import function, refused

DEFAULT_FORMAT = "o"
# An ISO 8601 duration. Azure takes months as 30 days and years as 365, as .NET's XmlConvert does.
DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
BASIC = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z", re.ASCII)  # utcNow()'s own
FRACTION = re.compile(r"(\.\d{1,6})\d*")


@function("dateTimeAdd", "string", "string", "string?")
def date_time_add(base: str, duration: str, form: str = "") -> str:
    """Return base plus an ISO 8601 duration such as P1DT6H or -PT30M, as .NET formats it."""
    moment = _moment("dateTimeAdd", base)
    match = DURATION.fullmatch(duration)
    if match is None or not any(match.group(name) for name in match.groupdict() if name != "sign"):
        raise refused("dateTimeAdd", f"The duration '{duration[:80]}' is not valid ISO 8601.")
    part = {name: float(text or 0) for name, text in match.groupdict().items() if name != "sign"}
    days = 365 * part["years"] + 30 * part["months"] + 7 * part["weeks"] + part["days"]
    try:
        span = timedelta(
            days=days, hours=part["hours"], minutes=part["minutes"], seconds=part["seconds"]
        )
        result = moment - span if match["sign"] else moment + span
    except OverflowError:
        raise refused("dateTimeAdd", "The result is beyond the years 1 to 9999.") from None
    return dotnet_format(result, form or DEFAULT_FORMAT)


@function("dateTimeFromEpoch", "int")
def date_time_from_epoch(seconds: int) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    except OverflowError:
        raise refused("dateTimeFromEpoch", "The result is beyond the years 1 to 9999.") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@function("dateTimeToEpoch", "string")
def date_time_to_epoch(text: str) -> int:
    return int(_moment("dateTimeToEpoch", text).timestamp())


def _moment(name: str, text: str) -> datetime:
    """Return the moment in UTC; raises ExpressionError."""
    extended = BASIC.sub(r"\1-\2-\3T\4:\5:\6+00:00", text.strip())
    # Python 3.10 reads neither Z nor .NET's seven digits.
    extended = FRACTION.sub(lambda match: match[1].ljust(7, "0"), extended.replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(extended)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise refused(name, f"The value '{text[:80]}' is not a date and time.") from None
