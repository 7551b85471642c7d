"""Requests on Microsoft.Compute/disks."""

from __future__ import annotations

import re

from ..base import errors, versions
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import DISK, SNAPSHOT
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..base.versions_compute import MORE_RETRY_AFTER
from ..resources.crud import Handler
from ..resources.views import show
from ..state import Emulator, merged_tags
from . import disk_meaning, disks, size_fit
from .compute_answers import begin
from .disk_meaning import PERFORMANCE

OPERATIONS = "DiskOperations"
NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?")
LARGEST_GB = 32_767
UNREAD_GB = 30  # how much is behind a URL, which is not read here
ECHO = f"{DISK}/firstAnswer"
COPIES = ("Copy", "Restore", "CopyStart")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    check_name(name, "disk")
    existing = em.store.lookup(group.name, DISK, name)
    body = check_compute("Disk", request.json_object(), write_to(existing))
    body.setdefault("properties", {})
    if existing:
        em.check_same_location(existing, body)
        return _change(em, request, existing, body, body.get("tags"))
    completed = _completed(em, body)
    disk_meaning.check(name, completed)
    disk = disks.build(em, group, name, completed)
    disk.hidden["placed"] = disk.properties["creationData"]["createOption"] in COPIES
    em.store.add(disk)
    disk.properties["provisioningState"] = "Updating"
    shown = {**body["properties"], "creationData": disk.properties["creationData"]}
    answer = _echo(disk, {**body, "properties": shown}, request.api_version)
    return _begin(em, request, disk, answer)


def check_name(name: str, kind: str) -> None:
    """Refuse a name that a disk or a snapshot can't have; kind: which of them it is."""
    if not NAME.fullmatch(name):
        raise errors.invalid_parameter(
            f"{kind}.name",
            f"The entity name '{kind}.name' is invalid according to its validation rule: "
            "^[^_\\W][\\w-._]{0,79}(?<![-.])$.",
        )


def _completed(em: Emulator, body: Json) -> Json:
    """Check where the content comes from, and take the size from there if the body gives none."""
    properties = dict(body["properties"])
    data = properties.get("creationData")
    if not data:
        raise errors.missing_parameter("disk.creationData")
    option, source_gb = data["createOption"], 0
    if option in COPIES:
        if not data.get("sourceResourceId") and not data.get("sourceUri"):
            raise errors.missing_parameter("disk.creationData.sourceResourceId")
        source = em.store.find(data.get("sourceResourceId"))
        unique = em.new_uuid()  # of a source that is not served, such as a restore point
        if source and source.type in (DISK, SNAPSHOT):
            source_gb = source.properties.get("diskSizeGB", 0)
            unique = source.properties["uniqueId"]
            properties.setdefault("osType", source.properties.get("osType"))
        for kind in (DISK, SNAPSHOT):
            if source is None and f"/{kind}/".lower() in str(data.get("sourceResourceId")).lower():
                name = str(data["sourceResourceId"]).rsplit("/", 1)[-1]
                raise errors.resource_not_found(kind, name, "")
        properties["creationData"] = {**data, "sourceUniqueId": unique}
    elif option == "Empty" and "diskSizeGB" not in properties:
        raise errors.missing_parameter("disk.diskSizeGB")
    elif option == "Import" and not data.get("sourceUri"):
        raise errors.missing_parameter("disk.creationData.sourceUri")
    size_gb = int(properties.get("diskSizeGB", source_gb or UNREAD_GB))
    if not 1 <= size_gb <= LARGEST_GB or (source_gb and size_gb < source_gb):
        raise errors.invalid_parameter(
            "disk.diskSizeGB",
            f"The value '{size_gb}' of parameter 'disk.diskSizeGB' is out of range. The value "
            f"must be between '{source_gb or 1}' and '{LARGEST_GB}', inclusive.",
        )
    properties["diskSizeGB"] = size_gb
    kept = {key: value for key, value in properties.items() if value is not None}
    return {**body, "properties": kept}


def _echo(disk: Resource, given: Json, api_version: str) -> Json:
    """Return the first answer to a PUT: what the request says; older ones have no id yet."""
    body: Json = {"name": disk.name, "id": disk.id, "type": DISK, "location": disk.location}
    body |= {key: given[key] for key in ("tags", "zones", "sku") if key in given}
    body |= {key: disk.top[key] for key in ("managedBy",) if key in disk.top}
    properties: Json = {
        "creationData": disk.properties["creationData"],
        **{key: item for key, item in given["properties"].items() if key not in PERFORMANCE},
        "provisioningState": "Updating",
        "isArmResource": True,
    }
    imported = disk.properties["creationData"]["createOption"] == "Import"
    if imported and "diskSizeGB" not in given["properties"]:
        properties["diskSizeBytes"] = disk.properties["diskSizeBytes"]
    return versions.shown(ECHO, api_version, body | {"properties": properties})


def _begin(em: Emulator, request: ArmRequest, disk: Resource, answer: Json) -> ArmResponse:
    async def finish() -> Json:
        disk.properties["provisioningState"] = "Succeeded"
        return show(em, disk, request.api_version)

    return begin(
        em,
        request,
        disk.location,
        finish,
        duration_s=em.durations.draw("disk"),
        body=answer,
        retry_after_s=2 if request.method == "PUT" or tells_to_wait(request) else None,
        collection=OPERATIONS,
    )


def tells_to_wait(request: ArmRequest) -> bool:
    """Return whether the api-version's answer to a PATCH says when to ask again."""
    return versions.includes(MORE_RETRY_AFTER, request.api_version)


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    disk = em.store.get(request.params["group"], DISK, request.params["name"])
    body = check_compute("DiskUpdate", request.json_object(), "patch")
    return _change(em, request, disk, body, merged_tags(body, disk.tags))


def _change(
    em: Emulator, request: ArmRequest, disk: Resource, body: Json, tags: dict[str, str] | None
) -> ArmResponse:
    properties: Json = body.get("properties") or {}
    size_gb: int = properties.get("diskSizeGB") or disk.properties.get("diskSizeGB", 0)
    old_gb = disk.properties.get("diskSizeGB", 0)
    if size_gb < old_gb:
        raise errors.ArmError(
            400, "BadRequest", "Disk size reduction is not supported.", target="disk.diskSizeGB"
        )
    size_fit.check_same_zones(disk, body)
    sku = body.get("sku") or disk.top["sku"]
    sized = {**properties, "diskSizeGB": size_gb}
    disk_meaning.check(disk.name, {"location": disk.location, "sku": sku, "properties": sized})
    old = disk.properties["creationData"]["createOption"]
    data = properties.get("creationData")
    if isinstance(data, dict) and data.get("createOption", old) != old:
        raise errors.property_change("disk.creationData.createOption")
    disk.tags = tags
    account = (body.get("sku") or {}).get("name")
    if account:
        tier = account.split("_")[0].removesuffix("SSD")
        disk.top["sku"] = {"name": account, "tier": tier}
    if size_gb != old_gb or account:
        for name in PERFORMANCE:
            disk.properties.pop(name, None)
    for name in ("osType", "networkAccessPolicy", "publicNetworkAccess", *PERFORMANCE):
        if name in properties:
            disk.properties[name] = properties[name]
    if size_gb:
        disks.resize(disk, size_gb)
    disk.properties["provisioningState"] = "Updating"
    answer = _echo(disk, _shown_change(request, disk, body), request.api_version)
    return _begin(em, request, disk, _with_place(disk, answer, request.api_version))


def _with_place(disk: Resource, answer: Json, api_version: str) -> Json:
    """Add to an answer where a disk in use lies, as Azure does for changes (recorded)."""
    if not disk.hidden.get("placed"):
        return answer
    place: Json = {"faultDomain": 0}
    if "osType" in disk.properties:
        place["osState"] = "Generalized"
    shown = {**answer, "properties": {**answer["properties"], **place}}
    return versions.shown(ECHO, api_version, shown)


def _shown_change(request: ArmRequest, disk: Resource, body: Json) -> Json:
    """Return the answer to a change: for a PUT the request itself, for a PATCH more of the disk."""
    if request.method == "PUT":
        return body
    properties = {
        name: disk.properties[name] for name in ("diskSizeGB",) if name in disk.properties
    }
    shown: Json = {"sku": disk.top["sku"], "properties": properties}
    return shown | ({"tags": disk.tags} if disk.tags is not None else {})


def delete(kind: str) -> Handler:
    """Return the handler of DELETE on a disk or a snapshot."""

    def answer(em: Emulator, request: ArmRequest) -> ArmResponse:
        group = em.store.group(request.params["group"])
        disk = em.store.lookup(group.name, kind, request.params["name"])
        if disk is None:
            return ArmResponse(204)
        disks.check_unused(disk)

        async def finish() -> None:
            disks.check_unused(disk)
            em.store.remove(disk)

        return begin(
            em,
            request,
            disk.location,
            finish,
            duration_s=em.durations.draw("disk"),
            collection=OPERATIONS,
        )

    return answer


def begin_get_access(em: Emulator, request: ArmRequest) -> ArmResponse:
    disk = _writable(em, request)
    body = check_compute("GrantAccessData", request.json_object())
    if not body.get("durationInSeconds"):
        raise errors.missing_parameter("durationInSeconds")

    async def finish() -> Json:
        if disk.properties["diskState"] in ("Unattached", "Reserved"):
            disk.properties["diskState"] = "ActiveSAS"
        # A signature for nothing: there is no storage account behind it.
        return {
            "accessSAS": f"https://md-{em.new_hex(12)}.blob.core.windows.net/{em.new_hex(12)}/abcd"
        }

    return begin(em, request, disk.location, finish, collection=OPERATIONS)


def end_get_access(em: Emulator, request: ArmRequest) -> ArmResponse:
    disk = _writable(em, request)

    async def finish() -> None:
        if disk.properties["diskState"] == "ActiveSAS":
            disk.properties["diskState"] = "Reserved" if "managedBy" in disk.top else "Unattached"

    return begin(em, request, disk.location, finish, collection=OPERATIONS)


def _writable(em: Emulator, request: ArmRequest) -> Resource:
    """Return the disk, or the snapshot, of the path."""
    em.store.writable_group(request.params["group"])
    kind = SNAPSHOT if f"/{SNAPSHOT}/".lower() in request.path.lower() else DISK
    return em.store.get(request.params["group"], kind, request.params["name"])
