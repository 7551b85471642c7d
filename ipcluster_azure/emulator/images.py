"""The platform images that exist here, and the check of an image reference."""

from __future__ import annotations

import re

from . import errors
from .arm import Json

# publisher, offer, sku -> versions
PLATFORM: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("Canonical", "ubuntu-24_04-lts", "server"): ("24.04.202606100", "24.04.202609050"),
    ("Canonical", "ubuntu-24_04-lts", "server-gen1"): ("24.04.202606100", "24.04.202609050"),
    ("Canonical", "ubuntu-24_04-lts", "server-arm64"): ("24.04.202606100", "24.04.202609050"),
    ("Canonical", "ubuntu-24_04-lts", "minimal"): ("24.04.202606100", "24.04.202609050"),
    ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts"): ("22.04.202609040",),
    ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"): ("22.04.202609040",),
    ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-arm64"): ("22.04.202609040",),
    ("Debian", "debian-12", "12"): ("0.20260814.2202",),
    ("Debian", "debian-12", "12-gen2"): ("0.20260814.2202",),
    ("Debian", "debian-13", "13-gen2"): ("0.20260814.2202",),
    ("almalinux", "almalinux-x86_64", "9-gen2"): ("9.6.202605280",),
    ("microsoft-dsvm", "ubuntu-hpc", "2204"): ("22.04.2026080101",),
    ("microsoft-dsvm", "ubuntu-hpc", "2404"): ("24.04.2026080101",),
}
_LOWER = {tuple(part.lower() for part in urn): urn for urn in PLATFORM}

# Galleries are not served, so an id of the right form is believed.
CUSTOM_IMAGE = re.compile(
    r"/(subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/"
    r"(images/[^/]+|galleries/[^/]+/images/[^/]+(/versions/[^/]+)?)"
    r"|sharedGalleries/.+|communityGalleries/.+)",
    re.IGNORECASE,
)


def versions(publisher: str, offer: str, sku: str) -> tuple[str, ...]:
    """Ascending; empty if there is no such image."""
    urn = _LOWER.get((publisher.lower(), offer.lower(), sku.lower()))
    return PLATFORM[urn] if urn else ()


def resolve(reference: Json) -> Json:
    """The reference as Azure shows it, with the exact version; or Azure's refusal."""
    own = reference.get("id") or reference.get("sharedGalleryImageId")
    own = own or reference.get("communityGalleryImageId")
    if own:
        if not CUSTOM_IMAGE.fullmatch(own):
            raise errors.invalid_parameter(
                "imageReference.id",
                f"The value '{own}' of parameter 'imageReference.id' is invalid.",
            )
        return reference
    for part in ("publisher", "offer", "sku", "version"):
        if not reference.get(part):
            raise errors.missing_parameter(f"imageReference.{part}")
    known = versions(reference["publisher"], reference["offer"], reference["sku"])
    wanted = reference["version"]
    if not known or (wanted != "latest" and wanted not in known):
        urn = ":".join(str(reference[part]) for part in ("publisher", "offer", "sku", "version"))
        raise errors.ArmError(
            404,
            "PlatformImageNotFound",
            f"The platform image '{urn}' is not available. Verify that all fields in the storage "
            "profile are correct. For more details about storage profile information, please "
            "refer to https://aka.ms/storageprofile",
        )
    return {**reference, "exactVersion": known[-1] if wanted == "latest" else wanted}
