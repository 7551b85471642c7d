"""Microsoft.Compute/snapshots: copies of disks. Nothing is copied, as disks have no content."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import DISK, SNAPSHOT
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..base.timestamps import compute_timestamp
from ..resources.views import show
from ..state import Emulator, merged_tags
from . import disks
from .compute_answers import begin
from .disk_requests import COPIES, LARGEST_GB, OPERATIONS, UNREAD_GB, check_name, tells_to_wait

CHANGEABLE = ("osType", "networkAccessPolicy", "publicNetworkAccess", "diskAccessId")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    check_name(name, "snapshot")
    existing = em.store.lookup(group.name, SNAPSHOT, name)
    body = check_compute("Snapshot", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
        return _change(em, request, existing, body, body.get("tags"))
    snapshot = em.new_resource(group, SNAPSHOT, name, body)
    _complete(em, snapshot, body)
    em.store.add(snapshot)
    return _begin(em, request, snapshot)


def _complete(em: Emulator, snapshot: Resource, body: Json) -> None:
    """Set the new snapshot's members; raises Azure's refusal of its source or its size."""
    given = dict(body.get("properties") or {})
    data = given.get("creationData")
    if not data:
        raise errors.missing_parameter("snapshot.creationData")
    source = _copied(em, data)
    of_source: Json = source.properties if source else {}
    size_gb = given.get("diskSizeGB") or of_source.get("diskSizeGB", UNREAD_GB)
    if not of_source.get("diskSizeGB", 1) <= size_gb <= LARGEST_GB:
        raise errors.invalid_parameter(
            "snapshot.diskSizeGB",
            f"The value '{size_gb}' of parameter 'snapshot.diskSizeGB' is out of range. The value "
            f"must be between '{of_source.get('diskSizeGB', 1)}' and '{LARGEST_GB}', inclusive.",
        )
    shown: Json = {
        name: of_source[name] for name in ("osType", "hyperVGeneration") if name in of_source
    }
    sku = (body.get("sku") or {}).get("name", "Standard_LRS")
    snapshot.top = {"sku": {"name": sku, "tier": sku.split("_")[0]}}
    snapshot.properties = {
        **shown,
        **given,
        "creationData": {**data, "sourceUniqueId": of_source.get("uniqueId", em.new_uuid())},
        "diskSizeGB": size_gb,
        "diskSizeBytes": size_gb * disks.GIB,
        "encryption": given.get("encryption") or {"type": "EncryptionAtRestWithPlatformKey"},
        "incremental": given.get("incremental", False),
        "networkAccessPolicy": given.get("networkAccessPolicy", "AllowAll"),
        "publicNetworkAccess": given.get("publicNetworkAccess", "Enabled"),
        "timeCreated": compute_timestamp(em.clock.now()),
        "uniqueId": em.new_uuid(),
        "diskState": "Unattached",
    }
    if snapshot.properties["incremental"]:
        snapshot.properties |= {"incrementalSnapshotFamilyId": em.new_uuid()}


def _copied(em: Emulator, data: Json) -> Resource | None:
    """Return what the snapshot is a copy of, None if it is imported; raises Azure's refusal."""
    if data["createOption"] not in (*COPIES, "Import"):
        raise errors.invalid_parameter(
            "snapshot.creationData.createOption",
            f"The value '{data['createOption']}' of parameter "
            "'snapshot.creationData.createOption' is not valid.",
        )
    if data["createOption"] != "Import":
        return _source(em, data.get("sourceResourceId"))
    if not data.get("sourceUri"):
        raise errors.missing_parameter("snapshot.creationData.sourceUri")
    return None


def _source(em: Emulator, identifier: object) -> Resource | None:
    """Return the disk or snapshot that is copied; one of another subscription is believed."""
    if not identifier:
        raise errors.missing_parameter("snapshot.creationData.sourceResourceId")
    source = em.store.find(identifier)
    own = str(identifier).lower().startswith(f"/subscriptions/{em.store.subscription_id}/")
    if source is None and own:
        kind, name = str(identifier).rsplit("/", 2)[1:]
        raise errors.resource_not_found(f"Microsoft.Compute/{kind}", name, "")
    if source is not None and source.type not in (DISK, SNAPSHOT):
        raise errors.invalid_parameter(
            "snapshot.creationData.sourceResourceId",
            f"The value '{identifier}' is the id of neither a disk nor a snapshot.",
        )
    return source


def _begin(em: Emulator, request: ArmRequest, snapshot: Resource) -> ArmResponse:
    snapshot.properties["provisioningState"] = "Updating"
    body = show(em, snapshot, request.api_version)

    async def finish() -> Json:
        snapshot.properties["provisioningState"] = "Succeeded"
        return show(em, snapshot, request.api_version)

    return begin(
        em,
        request,
        snapshot.location,
        finish,
        duration_s=em.durations.draw("disk"),
        body={**body, "properties": dict(body["properties"])},
        retry_after_s=2 if request.method == "PUT" or tells_to_wait(request) else None,
        collection=OPERATIONS,
    )


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    snapshot = em.store.get(request.params["group"], SNAPSHOT, request.params["name"])
    body = check_compute("SnapshotUpdate", request.json_object(), "patch")
    return _change(em, request, snapshot, body, merged_tags(body, snapshot.tags))


def _change(
    em: Emulator, request: ArmRequest, snapshot: Resource, body: Json, tags: dict[str, str] | None
) -> ArmResponse:
    given: Json = body.get("properties") or {}
    size_gb = given.get("diskSizeGB") or snapshot.properties["diskSizeGB"]
    if size_gb < snapshot.properties["diskSizeGB"]:
        raise errors.ArmError(
            400, "BadRequest", "Disk size reduction is not supported.", target="snapshot.diskSizeGB"
        )
    if (
        given.get("incremental", snapshot.properties["incremental"])
        != (snapshot.properties["incremental"])
    ):
        raise errors.property_change("snapshot.incremental")
    snapshot.tags = tags
    if sku := (body.get("sku") or {}).get("name"):
        snapshot.top["sku"] = {"name": sku, "tier": sku.split("_")[0]}
    snapshot.properties |= {name: given[name] for name in CHANGEABLE if name in given}
    snapshot.properties |= {"diskSizeGB": size_gb, "diskSizeBytes": size_gb * disks.GIB}
    return _begin(em, request, snapshot)
