"""What can be read without having been written: subscription, sizes, usages, images, operations."""

from __future__ import annotations

import re

from ..base import errors, regions, skus, versions
from ..base.messages import JSON, ArmRequest, ArmResponse, page
from ..base.resource_types import NETWORK
from ..base.versions_network import NOTIFYING_RESULTS
from ..compute import quota
from ..rules import sku_restrictions
from ..rules.operations import Operation
from ..state import Emulator
from . import groups

LOCATION_FILTER = re.compile(r"\s*location\s+eq\s+'(?P<location>[^']*)'\s*", re.IGNORECASE)


def list_skus(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer one region's sizes, of eastus without a filter (Azure sends many megabytes then)."""
    wanted = request.query.get("$filter", "location eq 'eastus'")
    match = LOCATION_FILTER.fullmatch(wanted)
    if not match:
        raise errors.ArmError(400, "BadRequest", f"The filter '{wanted}' is not supported.")
    location = match["location"].replace(" ", "").lower()
    if location not in regions.REGIONS:
        return page([])
    zones = sku_restrictions.zones_of(location)
    return page(
        [
            skus.resource_sku(
                size, location, zones, sku_restrictions.shown(em.sku_restrictions, size, location)
            )
            for size in skus.SIZES.values()
        ]
    )


def list_usages(em: Emulator, request: ArmRequest) -> ArmResponse:
    location = regions.normal(request.params["location"], "Microsoft.Compute/locations/usages")
    return page(quota.usages(em, location))


def _operation(em: Emulator, identifier: str | None) -> Operation:
    found = em.operations.find(identifier) if identifier else None
    if found is None:
        raise errors.ArmError(404, "NotFound", f"The operation '{identifier}' was not found.")
    return found


async def get_operation(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer an Azure-AsyncOperation: always 200 and a status.

    ?monitor=true is Compute's Location.
    """
    operation = _operation(em, request.params["operation"])
    compute = operation.namespace == "Microsoft.Compute"
    if request.flag("monitor"):
        return await _result(em, request, operation)
    await em.operations.settle(operation)
    operation.polls += 1
    headers: dict[str, str] = {}
    # As recorded: only the first answer of Compute asks for a wait.
    slow = compute and operation.paced and operation.polls == 1
    hurried = em.clock.immediate or 0 < em.clock.client_scale < 1
    if operation.status == "InProgress" and (slow or hurried or not compute):
        headers["Retry-After"] = em.operations.retry_after(30 if slow else 3)
    return ArmResponse(200, operation.body(), headers)


async def get_operation_result(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer Network's Location."""
    return await _result(em, request, _operation(em, request.params["operation"]))


async def get_group_result(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the Location of a deleted group or deployment: 202 until it is gone."""
    operation = _operation(em, groups.operation_of(request.params["job"]))
    await em.operations.settle(operation)
    if operation.status == "InProgress":
        return ArmResponse(202, None, groups.result_headers(em, request, operation))
    if operation.error:
        return ArmResponse(operation.error.status, groups.failure(operation.error))
    return ArmResponse(operation.monitor_status, operation.result)


async def _result(em: Emulator, request: ArmRequest, operation: Operation) -> ArmResponse:
    await em.operations.settle(operation)
    if operation.status == "InProgress":
        headers = em.operations.headers(request, operation, retry_after_s=10, location=True)
        if operation.namespace == "Microsoft.Compute":
            headers = {name: headers[name] for name in ("Location", "Retry-After")}
            return ArmResponse(202, None, headers)
        return ArmResponse(202, None, headers | JSON)
    if operation.error:
        raise operation.error
    if operation.result is not None:
        return ArmResponse(operation.monitor_status, operation.result)
    if operation.namespace == NETWORK:  # repeats where it was asked (recorded)
        headers = em.operations.headers(
            request,
            operation,
            retry_after_s=None,
            location=True,
            notification=versions.includes(NOTIFYING_RESULTS, request.api_version),
        )
        return ArmResponse(operation.monitor_status, None, headers | JSON)
    return ArmResponse(operation.monitor_status, operation.result)
