"""The parts of an HTTP request that ARM reads before it looks for who answers; any may be odd."""

from __future__ import annotations

import json
import math
import re
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from ..base import connections, errors
from . import relaxed_json

BODY_LIMIT = 4 * 1024 * 1024  # ARM's own
MAX_DEPTH = 64  # that of Newtonsoft's JSON reader, which Azure's services use
FIRST_VERSION = date(2014, 4, 1)  # ARM's
API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(-[A-Za-z]+)?", re.ASCII)
HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)
IDENTIFIER = re.compile(r"[!-~]{1,128}", re.ASCII)


def path(request: web.Request) -> str:
    """Return the decoded path.

    Slashes in a row count as one (recorded), those at its end as none.
    """
    return re.sub("/+", "/", request.path).rstrip("/") or "/"


def query(request: web.Request) -> dict[str, str]:
    """Return the query by names in lower case; repeated ones are joined, as .NET does it."""
    found: dict[str, str] = {}
    for name, value in request.query.items():
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def check_api_version(given: str | None) -> None:
    """Refuse what can't be an api-version.

    Any date passes from ARM's first to a year from now, because SDKs go with the time; types with
    versions of their own are checked by api_versions.
    """
    if not given:
        raise errors.missing_api_version()
    match = API_VERSION.fullmatch(given)
    try:
        day = date.fromisoformat(match[1]) if match else None
    except ValueError:
        day = None
    if day is None or not FIRST_VERSION <= day <= date.today() + timedelta(days=366):
        raise errors.invalid_api_version(given)


def base_url(request: web.Request) -> str:
    """Return what the URLs in answers begin with: the address under which the client knows us."""
    host = request.headers.get("Host")
    if host is None:  # HTTP/1.0
        transport = request.transport
        address = transport.get_extra_info("sockname") if transport else ("localhost", 0)
        host = f"{address[0]}:{address[1]}"
    if not HOST.fullmatch(host):
        raise errors.bad_request("The request's Host header is invalid.")
    return f"{request.scheme}://{host}"


def correlation_id(request: web.Request, otherwise: str) -> str:
    """Return the client's own id if it can be repeated in a header, else `otherwise`."""
    given = request.headers.get("x-ms-correlation-request-id", "")
    return given if IDENTIFIER.fullmatch(given) else otherwise


async def json_body(request: web.Request) -> Any:
    """Return the parsed body, None if there is none; raises ARM's refusal."""
    try:
        raw = await connections.body(request)
    except web.HTTPRequestEntityTooLarge:
        raise errors.content_too_large(BODY_LIMIT) from None
    except web.HTTPRequestTimeout as refusal:
        raise errors.bad_request(refusal.reason, refusal.status) from None
    except web.RequestPayloadError as error:  # cut off, or not packed as it says
        raise errors.invalid_content(str(error)[:200]) from None
    if not raw.strip():
        return None
    try:
        value = _parsed(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise errors.invalid_content(str(error)[:200]) from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise errors.invalid_content(f"The reader's MaxDepth of {MAX_DEPTH} has been exceeded.")
    return value


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except ValueError as mistake:
        relaxed = relaxed_json.to_json(text)
        if relaxed == text:
            raise
        try:
            return json.loads(relaxed, parse_constant=_no_constant, parse_float=_finite)
        except ValueError:
            raise mistake from None  # its place is one in what was sent


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for outer in level
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(item, dict | list) for item in level)
