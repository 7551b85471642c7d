"""The platform images of a region: publishers, their offers, SKUs and versions."""

from __future__ import annotations

from ..base import errors, regions
from ..base.messages import ArmRequest, ArmResponse, Json
from ..state import Emulator
from . import extension_images, images

GIB = 1024**3


def _chosen(request: ArmRequest) -> list[str]:
    names = ("publisher", "offer", "sku")
    return [request.params[name] for name in names if name in request.params]


def _id(em: Emulator, request: ArmRequest, chosen: list[str], version: str = "") -> str:
    path = (
        f"/Subscriptions/{em.store.subscription_id}/Providers/Microsoft.Compute/Locations/"
        f"{request.params['location']}"
    )
    for kind, name in zip(
        ("Publishers", "ArtifactTypes/VMImage/Offers", "Skus"), chosen, strict=False
    ):
        path += f"/{kind}/{name}"
    return f"{path}/Versions/{version}" if version else path


def _not_found(chosen: list[str]) -> errors.ArmError:
    return errors.ArmError(404, "NotFound", f"Artifact: VMImage was not found: {':'.join(chosen)}.")


def list_names(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer publishers, offers or SKUs: whichever comes next after what the path names."""
    location = regions.normal(request.params["location"], "Microsoft.Compute/locations/publishers")
    chosen = _chosen(request)
    known = images.children(*chosen)
    if not known:
        raise _not_found(chosen)
    if not chosen:  # who publishes extensions is a publisher, too
        known = list(dict.fromkeys([*known, *extension_images.TYPES]))
    found: list[Json] = [
        {"location": location, "name": name, "id": _id(em, request, [*chosen, name])}
        for name in known
    ]
    return ArmResponse(200, found)


def list_versions(em: Emulator, request: ArmRequest) -> ArmResponse:
    chosen = _chosen(request)
    known = images.versions(*chosen)
    if not known:
        raise _not_found(chosen)
    if "desc" in request.query.get("$orderby", ""):
        known = known[::-1]
    top = request.query.get("$top", "")
    known = known[: int(top)] if top.isdigit() else known
    location = request.params["location"]
    expanded = request.query.get("$expand", "").lower() == "properties"
    found: list[Json] = [
        {"location": location, "name": version, "id": _id(em, request, chosen, version)}
        | ({"properties": _properties(chosen)} if expanded else {})
        for version in known
    ]
    return ArmResponse(200, found)


def get_version(em: Emulator, request: ArmRequest) -> ArmResponse:
    chosen, version = _chosen(request), request.params["version"]
    known = images.versions(*chosen)
    if version.lower() == "latest" and known:
        version = known[-1]
    if version not in known:
        raise _not_found([*chosen, version])
    body: Json = {
        "properties": _properties(chosen),
        "location": request.params["location"],
        "name": version,
        "id": _id(em, request, chosen, version),
    }
    return ArmResponse(200, body)


def _properties(chosen: list[str]) -> Json:
    reference = dict(zip(("publisher", "offer", "sku"), chosen, strict=True))
    size_gb = images.disk_gb(reference)
    system = "Windows" if images.is_windows(reference) else "Linux"
    plan, features = images.purchase_plan(reference), images.features(reference)
    return {
        **({"plan": plan} if plan else {}),
        **({"features": features} if features else {}),
        "hyperVGeneration": images.generation(reference),
        "architecture": images.architecture(reference),
        "replicaType": "Unmanaged",
        "disallowed": {"vmDiskType": "None"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": True},
        "imageState": "Active",
        "osDiskImage": {
            "operatingSystem": system,
            "sizeInGb": size_gb + 1,
            "sizeInBytes": size_gb * GIB + 512,
        },
        "dataDiskImages": [],
    }
