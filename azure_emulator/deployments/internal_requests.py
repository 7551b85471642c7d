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
    """Return what Azure answers to `method` on the resource `identifier`; raises ArmError.

    origin: the deployment's own request, whose sender's rights count here, too; version: the
    api-version.
    """
    parts = identifier.split("/")
    if len(parts) > 2 and parts[2].lower() != em.store.subscription_id:
        raise errors.subscription_not_found(parts[2])
    request = replace(
        origin,
        method=method,
        path=identifier,
        params={},
        query={"api-version": version},
        body=body,
    )
    return await em.router.answer(em, request)
