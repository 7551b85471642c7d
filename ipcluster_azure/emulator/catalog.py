"""What can be read without having been written: subscription, sizes, usages, images, operations."""

from __future__ import annotations

import re

from . import errors, groups, images, quota, regions, skus
from .arm import ArmRequest, ArmResponse, page
from .operations import Operation
from .state import Emulator
from .store import Resource
from .views import DISK, NETWORK
from .virtual_machines import accepted

LOCATION_FILTER = re.compile(r"\s*location\s+eq\s+'(?P<location>[^']*)'\s*", re.IGNORECASE)


def list_skus(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Without a filter of one region (Azure sends many megabytes then)."""
    wanted = request.query.get("$filter", "location eq 'eastus'")
    match = LOCATION_FILTER.fullmatch(wanted)
    if not match:
        raise errors.ArmError(400, "BadRequest", f"The filter '{wanted}' is not supported.")
    location = match["location"].replace(" ", "").lower()
    if location not in regions.REGIONS:
        return page([])
    return page([skus.resource_sku(size, location) for size in skus.SIZES.values()])


def list_usages(em: Emulator, request: ArmRequest) -> ArmResponse:
    location = regions.normal(request.params["location"], "Microsoft.Compute/locations/usages")
    return page(quota.usages(em, location))


def list_image_versions(em: Emulator, request: ArmRequest) -> ArmResponse:
    part = request.params
    known = images.versions(part["publisher"], part["offer"], part["sku"])
    if not known:
        raise errors.ArmError(
            404, "NotFound", f"Artifact: VMImage was not found: {part['publisher']}:{part['sku']}."
        )
    if "desc" in request.query.get("$orderby", ""):
        known = known[::-1]
    top = request.query.get("$top", "")
    known = known[: int(top)] if top.isdigit() else known
    path = request.path.rstrip("/")
    found = [
        {"location": part["location"], "name": version, "id": f"{path}/{version}"}
        for version in known
    ]
    return ArmResponse(200, found)


def _operation(em: Emulator, identifier: str | None) -> Operation:
    found = em.operations.find(identifier) if identifier else None
    if found is None:
        raise errors.ArmError(404, "NotFound", f"The operation '{identifier}' was not found.")
    return found


async def get_operation(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Azure-AsyncOperation: always 200 and a status; ?monitor=true is Compute's Location."""
    operation = _operation(em, request.params["operation"])
    compute = operation.namespace == "Microsoft.Compute"
    if request.flag("monitor"):
        return await _result(em, request, operation)
    await em.operations.settle(operation)
    operation.polls += 1
    headers: dict[str, str] = {}
    # As recorded: the first answer of Compute asks for a wait, later ones don't.
    slow = compute and operation.polls == 1
    if operation.status == "InProgress" and (slow or em.clock.client_scale < 1):
        headers["Retry-After"] = em.operations.retry_after(30 if slow else 3)
    return ArmResponse(200, operation.body(), headers)


async def get_operation_result(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Network's Location."""
    return await _result(em, request, _operation(em, request.params["operation"]))


async def get_group_result(em: Emulator, request: ArmRequest) -> ArmResponse:
    """The Location of a deleted resource group or deployment: 202 until it is gone."""
    operation = _operation(em, groups.operation_of(request.params["job"]))
    await em.operations.settle(operation)
    if operation.status == "InProgress":
        return ArmResponse(202, None, groups.result_headers(em, request, operation))
    if operation.error:
        raise operation.error
    return ArmResponse(operation.monitor_status)


async def _result(em: Emulator, request: ArmRequest, operation: Operation) -> ArmResponse:
    await em.operations.settle(operation)
    if operation.status == "InProgress":
        headers = em.operations.headers(request, operation, retry_after_s=10, location=True)
        return ArmResponse(202, None, headers)
    if operation.error:
        raise operation.error
    if operation.namespace == NETWORK:  # repeats where it was asked (recorded)
        headers = em.operations.headers(
            request, operation, retry_after_s=None, location=True, notification=False
        )
        return ArmResponse(operation.monitor_status, None, headers)
    return ArmResponse(operation.monitor_status)


def delete_disk(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.group(request.params["group"])
    disk = em.store.lookup(group.name, DISK, request.params["name"])
    if disk is None:
        return ArmResponse(204)
    _check_unattached(disk)

    async def finish() -> None:
        _check_unattached(disk)
        em.store.remove(disk)

    return accepted(em, request, disk, finish)


def _check_unattached(disk: Resource) -> None:
    if "managedBy" in disk.top:
        raise errors.operation_not_allowed(
            f"Disk {disk.name} is attached to VM {disk.top['managedBy']}."
        )
