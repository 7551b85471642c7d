"""Requests that the emulator sends to itself: what a deployment asks of the resource providers."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from . import errors
from .arm import ArmRequest, ArmResponse
from .state import Emulator


def send(
    em: Emulator, origin: ArmRequest, method: str, identifier: str, version: str, body: Any
) -> ArmResponse | Awaitable[ArmResponse]:
    """The answer of the same handler that a user's request would reach.

    origin: the user's request on whose behalf this one is.
    """
    from . import routes  # whose handlers import this module

    parts = identifier.split("/")
    if len(parts) > 2 and parts[2].lower() != em.store.subscription_id:
        raise errors.subscription_not_found(parts[2])
    handler, params = routes.find(method, identifier)
    request = replace(
        origin,
        method=method,
        path=identifier,
        params=params,
        query={"api-version": version},
        body=body,
    )
    return handler(em, request)
