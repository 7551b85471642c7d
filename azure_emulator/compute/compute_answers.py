"""Answers of Microsoft.Compute that begin a long-running operation, with their headers."""

from __future__ import annotations

from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import COMPUTE
from ..rules.operations import Work
from ..state import Emulator

# Older api-versions answer without Azure-AsyncNotification.
NOTIFYING_API = "2019-01-01"
# Before that no first answer had a Retry-After.
WAITING_API = "2018-01-01"


def begin(
    em: Emulator,
    request: ArmRequest,
    location: str,
    finish: Work,
    *,
    duration_s: float = 0.0,
    status: int = 202,
    body: Json | None = None,
    notified: bool = False,
    retry_after_s: int | None = None,
    collection: str = "operations",
    charge: int | None = None,
    slow: bool = True,
) -> ArmResponse:
    """Begin an operation that calls finish() after duration_s; return the answer to its request.

    Only an answer of 202 comes with a Location. charge: how many machines a scale set's request
    counts for; slow: whether the first poll is told to wait, too, if the answer was.
    """
    operation = em.operations.start(COMPUTE, location, duration_s, finish, collection=collection)
    retry_after_s = retry_after_s if request.api_version >= WAITING_API else None
    operation.paced = slow and retry_after_s is not None
    headers = em.operations.headers(
        request,
        operation,
        retry_after_s=retry_after_s,
        location=status == 202,
        notification=notified and request.api_version >= NOTIFYING_API,
    )
    if charge is not None:
        headers["x-ms-request-charge"] = str(charge)
    return ArmResponse(status, body, headers)
