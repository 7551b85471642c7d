"""Recorded refusals whose request body was not recorded: a request that must meet the same one."""

from __future__ import annotations

import re
from typing import Any

from . import prerequisites
from .sessions import UNKNOWN, Exchange

Json = dict[str, Any]

QUOTA = re.compile(r"exceeding (quota limits of Core|approved .* quota)", re.IGNORECASE)
MISSING = re.compile(r"Required parameter '(?P<name>\w+)' is missing")
CORES = {"name": "cores", "limit": 0}


def is_quota(exchange: Exchange) -> bool:
    return exchange.status == 409 and QUOTA.search(_message(exchange)) is not None


def body_for(exchange: Exchange) -> Any:
    """The recorded body, or the simplest one that lacks what the refusal names."""
    if exchange.body != UNKNOWN or exchange.method != "PUT":
        return None if exchange.body == UNKNOWN else exchange.body
    simple = prerequisites.simple_body(exchange.path, "eastus", [])
    match = MISSING.search(_message(exchange))
    return _without(simple, match["name"]) if match else simple


def _message(exchange: Exchange) -> str:
    error = exchange.answer.get("error") if isinstance(exchange.answer, dict) else None
    return str(error.get("message")) if isinstance(error, dict) else ""


def _without(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_without(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _without(item, name) for key, item in value.items() if key != name}
