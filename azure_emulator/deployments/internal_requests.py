"""Requests that the emulator sends to itself: what a deployment asks of the resource providers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse
from ..state import Emulator


async def send(
    em: Emulator, origin: ArmRequest, method: str, identifier: str, version: str, body: Any
) -> ArmResponse:
    """What a user's request would get, who may do what `origin`'s sender may.

    origin: the request on whose behalf this one is.
    """
    from ..front import dispatch, routes  # whose handlers import this module

    parts = identifier.split("/")
    if len(parts) > 2 and parts[2].lower() != em.store.subscription_id:
        raise errors.subscription_not_found(parts[2])
    route, params = routes.find(method, identifier)
    request = replace(
        origin,
        method=method,
        path=identifier,
        params=params,
        query={"api-version": version},
        body=body,
    )
    return await dispatch.carry_out(em, route, request, dispatch.Passage())
