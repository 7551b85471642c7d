"""Resource groups: made at once, deleted over minutes with all that is in them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from ..base import provider_errors, regions, resource_filter
from ..base.errors import ArmError
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import DISK, NIC, PUBLIC_IP, VM
from ..base.schema import check_resources, write_to
from ..base.store import Group, Resource
from ..compute import disks
from ..compute.vm_network import discard
from ..network import public_ips
from ..resources.views import show_group, show_in_list
from ..rules.operations import Operation
from ..state import Emulator, merged_tags

KIND = "Microsoft.Resources/resourceGroups"


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    name = request.params["group"]
    existing = em.store.find_group(name)
    body = check_resources("ResourceGroup", request.json_object(), write_to(existing))
    location = regions.normal(body.get("location"), KIND)
    if existing is None:
        group = em.store.add_group(name, location, body.get("tags"))
        group.managed_by = body.get("managedBy")
        return ArmResponse(201, show_group(group, request.api_version))
    em.store.writable_group(name)
    if existing.location != location:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in "
            f"location '{existing.location}'.",
        )
    existing.tags = body.get("tags")
    return ArmResponse(200, show_group(existing, request.api_version))


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    body = check_resources("ResourceGroupPatchable", request.json_object(), "patch")
    group.tags = merged_tags(body, group.tags)
    return ArmResponse(200, show_group(group, request.api_version))


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    return ArmResponse(
        200, show_group(em.store.group(request.params["group"]), request.api_version)
    )


def head(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.group(request.params["group"])
    return ArmResponse(204)


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    fits = resource_filter.parse(request.query.get("$filter"), ())
    groups = [group for group in em.store.groups() if fits({}, group.tags or {})]
    return page([show_group(group, request.api_version) for group in groups])


def list_resources(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the resources of one group or of the subscription."""
    names = ("location", "name", "resourcegroup", "resourcetype")
    fits = resource_filter.parse(request.query.get("$filter"), names)
    expand = request.query.get("$expand", "").split(",")
    name = request.params.get("group")
    groups = [em.store.group(name)] if name else em.store.groups()
    found: list[Json] = [
        show_in_list(resource, expand)
        for group in groups
        for resource in group.resources.values()
        if not resource.nested and fits(_facts(resource), resource.tags or {})
    ]
    return page(found)


def _facts(resource: Resource) -> dict[str, str]:
    return {
        "location": resource.location,
        "name": resource.name,
        "resourcegroup": resource.group,
        "resourcetype": resource.type,
    }


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.group(request.params["group"])
    duration_s = em.durations.draw("group_delete")
    repeated = group.deleting
    group.state = "Deleting"

    async def finish() -> None:
        if repeated:
            await group.gone.wait()
        else:
            await delete_contents(em, group, duration_s)

    operation = em.operations.start("Microsoft.Resources", group.location, 0.0, finish)
    return ArmResponse(202, None, result_headers(em, request, operation))


async def delete_machines(em: Emulator, some: Sequence[Group]) -> None:
    """Kill the groups' machines and remove their interfaces.

    A group may be gone, or go meanwhile: somebody else's deletion of it has ended.
    """
    there = [group for group in some if not group.gone.is_set()]
    vms = [vm for group in there for vm in em.store.all(VM, group.name)]
    for vm in vms:
        vm.deleting = True
    await em.machines.destroy([vm.properties["vmId"] for vm in vms])
    for group in there:
        for nic in [] if group.gone.is_set() else em.store.all(NIC, group.name):
            discard(em, nic)


async def delete_contents(
    em: Emulator, group: Group, duration_s: float, *, forced: bool = False
) -> None:
    """Delete all that is in a group, the machines first, within a tenth of the time.

    forced: nothing is held back.
    """
    for vm in [] if group.gone.is_set() else em.store.all(VM, group.name):
        vm.deleting = True
    await em.clock.sleep(duration_s / 10)
    await delete_machines(em, [group])
    await em.clock.sleep(duration_s * 9 / 10)
    if group.gone.is_set():
        return
    if not forced:
        _refuse_shared_disks(em, group)
        _refuse_used_from_outside(em, group)
    for public_ip in em.store.all(PUBLIC_IP, group.name):
        public_ips.release(em, public_ip)
    em.store.remove_group(group)
    group.gone.set()


def _refuse_used_from_outside(em: Emulator, group: Group) -> None:
    """Refuse if other groups' interfaces hold the group's networks: it then stays."""
    prefix = f"{group.id}/".lower()
    for nic in em.store.all(NIC):
        for item in nic.properties["ipConfigurations"]:
            subnet_id = item["properties"]["subnet"]["id"]
            if subnet_id.lower().startswith(prefix):
                group.state = "Succeeded"
                network, _, name = subnet_id.rpartition("/subnets/")
                raise _deletion_blocked(
                    group, {network: provider_errors.subnet_in_use(name, item["id"])}
                )


def _refuse_shared_disks(em: Emulator, group: Group) -> None:
    """Refuse if somebody has access by a signature to one of the group's disks: it then stays."""
    held = [disk for disk in em.store.all(DISK, group.name) if disks.is_shared(disk)]
    blocked = {disk.id: disks.shared(disk) for disk in held}
    if blocked:
        group.state = "Succeeded"
        raise _deletion_blocked(group, blocked)


def _deletion_blocked(group: Group, reasons: dict[str, ArmError]) -> ArmError:
    """Return the refusal; reasons: what each of the resources says."""
    details = [
        {
            "code": None,
            "target": identifier,
            "message": json.dumps(reason.body(), separators=(",", ":")),
            "details": None,
            "additionalInfo": None,
        }
        for identifier, reason in reasons.items()
    ]
    named = ",".join(identifier.rsplit("/providers/", 1)[1] for identifier in reasons)
    return ArmError(
        409,
        "ResourceGroupDeletionBlocked",
        f"Deletion of resource group '{group.name}' failed as resources with identifiers "
        f"'{named}' could not be deleted. The provisioning state of "
        "the resource group will be rolled back. Please check audit logs for more details.",
        details=details,
    )


def failure(error: ArmError) -> Json:
    """Return how a group's Location tells a failed deletion: as all errors, but capitalised."""
    details = error.details and [_capitalised(item) for item in error.details]
    members = {"code": error.code, "target": error.target, "message": error.message}
    return {"Error": {**_capitalised(members), "Details": details, "AdditionalInfo": None}}


def _capitalised(members: Json) -> Json:
    return {name[0].upper() + name[1:]: value for name, value in members.items()}


def result_headers(em: Emulator, request: ArmRequest, operation: Operation) -> dict[str, str]:
    """Return a deletion's headers: a Location alone, whose last part is a coded job name."""
    job = {"jobId": operation.id, "jobLocation": operation.location}
    coded = base64.urlsafe_b64encode(json.dumps(job).encode()).decode().rstrip("=")
    url = (
        f"{request.base_url}/subscriptions/{request.params['subscription']}/operationresults/"
        f"{coded}?api-version={request.api_version}"
    )
    return {"Location": url, "Retry-After": em.operations.retry_after(15)}


def operation_of(coded: str) -> str | None:
    """Return the operation's id that a job name codes."""
    try:
        job = json.loads(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
        return str(job["jobId"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
