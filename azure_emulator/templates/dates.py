"""Dates as .NET's format strings write them: what utcNow(format) needs."""

from __future__ import annotations

import re
from datetime import datetime

from .signatures import refused

STANDARD = {
    "d": "MM/dd/yyyy",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
}
STRFTIME = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "dddd": "%A",
    "ddd": "%a",
    "dd": "%d",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
    "tt": "%p",
}
PART = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']+")
PLAIN = ("T", "Z")


def dotnet_format(moment: datetime, form: str) -> str:
    form = STANDARD.get(form, form)
    if "'" in PART.sub("", form):
        raise refused("utcNow", f"The format '{form}' is not well formed.")
    return "".join(_part(moment, match) for match in PART.finditer(form))


def _part(moment: datetime, match: re.Match[str]) -> str:
    text = match[0]
    if match[1] is not None:
        return match[1]
    if text in STRFTIME:
        return moment.strftime(STRFTIME[text])
    if set(text) == {"f"} and len(text) <= 7:
        return f"{moment.microsecond:06d}0"[: len(text)]
    if text in PLAIN or not text[0].isalpha():
        return text
    single = {"M": moment.month, "d": moment.day, "H": moment.hour, "m": moment.minute}
    if text in single:
        return str(single[text])
    raise refused("utcNow", f"The format '{text}' is not supported by this endpoint.")
