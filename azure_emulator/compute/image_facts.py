"""What is known of the image that a machine is to be made of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..base.messages import Json
from ..base.resource_types import IMAGE
from ..base.store import Resource
from ..state import Emulator
from . import images, own_images

SHARED = re.compile(
    r"/(?P<kind>sharedGalleries|communityGalleries)/(?P<gallery>[^/]+)/images/(?P<image>[^/]+)"
    r"(/versions/(?P<version>[^/]+))?",
    re.IGNORECASE,
)
VERSION = re.compile(r"(?P<definition>.+/galleries/[^/]+/images/[^/]+)(/versions/[^/]+)?", re.I)


@dataclass(frozen=True)
class Facts:
    """An image as requests are compared with it.

    system: Linux, Windows, or "" if the image doesn't say it; data_disk_luns: where its data disks
    go; plan: what it must be bought by, or {}.
    """

    generation: str
    architecture: str
    size_gb: int
    system: str = ""
    data_disk_luns: tuple[int, ...] = ()
    controllers: tuple[str, ...] = ("SCSI",)
    security: str = ""
    plan: Json = field(default_factory=dict)


def of(em: Emulator, reference: Json) -> Facts | None:
    """Return what is known of a resolved reference; None of an image that was not made here."""
    if reference.get("publisher"):
        return Facts(
            images.generation(reference),
            images.architecture(reference),
            images.disk_gb(reference),
            "Windows" if images.is_windows(reference) else "Linux",
            plan=images.purchase_plan(reference),
            **_of_features(images.features(reference)),
        )
    shared = reference.get("sharedGalleryImageId") or reference.get("communityGalleryImageId")
    if match := SHARED.fullmatch(str(shared or "")):
        kind, gallery, image = match["kind"], match["gallery"], match["image"]
        definition = own_images.shared_definition(em, kind, gallery, image)
        return _of_gallery(em, definition, match["version"]) if definition else None
    identifier = str(reference.get("id", ""))
    found = em.store.find(identifier)
    if found is not None and found.type == IMAGE:
        return _of_managed(found)
    match = VERSION.fullmatch(identifier)
    definition = em.store.find(match["definition"]) if match else None
    if definition is None:
        return None
    version = identifier.rsplit("/", 1)[-1] if "/versions/" in identifier.lower() else None
    return _of_gallery(em, definition, version)


def _of_managed(image: Resource) -> Facts:
    storage = image.properties.get("storageProfile") or {}
    disk = storage.get("osDisk") or {}
    generation = str(image.properties.get("hyperVGeneration") or "V1")
    return Facts(
        generation,
        "x64",
        int(disk.get("diskSizeGB") or 0),
        str(disk.get("osType") or ""),
        tuple(int(item["lun"]) for item in storage.get("dataDisks") or []),
    )


def _of_gallery(em: Emulator, definition: Resource, version: str | None) -> Facts:
    known = own_images.versions_of(em, definition)
    if version and version.lower() != "latest":
        known = [item for item in known if item.name == version]
    storage = (known[-1].properties.get("storageProfile") if known else None) or {}
    disk, said = storage.get("osDiskImage") or {}, definition.properties
    return Facts(
        str(said.get("hyperVGeneration") or "V1"),
        str(said.get("architecture") or "x64"),
        int(disk.get("sizeInGB") or 0),
        str(said.get("osType") or ""),
        tuple(int(item["lun"]) for item in storage.get("dataDiskImages") or []),
        plan=said.get("purchasePlan") or {},
        **_of_features(said.get("features") or []),
    )


def _of_features(features: list[Json]) -> dict[str, Any]:
    found = {item["name"]: str(item["value"]) for item in features}
    words = found.get("DiskControllerTypes", "SCSI").split(",")
    return {
        "controllers": tuple(word.strip() for word in words),
        "security": found.get("SecurityType", ""),
    }
