"""The platform images that exist here, and the check of an image reference."""

from __future__ import annotations

import re

from ..base import errors
from ..base.messages import Json

# publisher, offer, skus, versions
_TABLE: tuple[tuple[str, str, str, str], ...] = (
    (
        "Canonical",
        "ubuntu-24_04-lts",
        "server server-gen1 server-arm64 minimal cvm",
        "24.04.202606100 24.04.202609050",
    ),
    (
        "Canonical",
        "0001-com-ubuntu-server-jammy",
        "22_04-lts 22_04-lts-gen2 22_04-lts-arm64",
        "22.04.202609040",
    ),
    ("Canonical", "0001-com-ubuntu-server-focal", "20_04-lts 20_04-lts-gen2", "20.04.202505200"),
    ("Canonical", "UbuntuServer", "18.04-LTS 18_04-lts-gen2", "18.04.202401161"),
    ("Canonical", "UbuntuServer", "16.04-LTS 16.04.0-LTS", "16.04.202109280"),
    ("Canonical", "UbuntuServer", "14.04.2-LTS 14.04.4-LTS 14.04.5-LTS", "14.04.201911070"),
    ("Debian", "debian-10", "10 10-backports", "0.20240703.1797"),
    ("Debian", "debian-12", "12 12-gen2", "0.20260814.2202"),
    ("Debian", "debian-13", "13-gen2", "0.20260814.2202"),
    ("credativ", "Debian", "8 9 9-backports", "9.20200722.0"),
    ("resf", "rockylinux-x86_64", "9-base 9-lvm", "9.6.20250531"),
    ("almalinux", "almalinux-x86_64", "9-gen2", "9.6.202605280"),
    ("microsoft-dsvm", "ubuntu-hpc", "2204", "22.04.2026080101"),
    ("microsoft-dsvm", "ubuntu-hpc", "2404", "24.04.2026080101"),
    ("MicrosoftWindowsDesktop", "Windows-10", "rs4-pro", "17134.1425.2004081618"),
    (
        "MicrosoftWindowsServer",
        "WindowsServer",
        "2008-R2-SP1 2012-Datacenter 2012-R2-Datacenter 2016-Datacenter 2019-Datacenter "
        "2022-Datacenter 2022-datacenter-g2",
        "20348.3932.250705",
    ),
)
PLATFORM: dict[tuple[str, str, str], tuple[str, ...]] = {
    (publisher, offer, sku): tuple(versions.split())
    for publisher, offer, skus, versions in _TABLE
    for sku in skus.split()
}
_LOWER = {tuple(part.lower() for part in urn): urn for urn in PLATFORM}

# What az calls some of them.
ALIASES = {
    "Ubuntu2204": ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"),
    "Ubuntu2404": ("Canonical", "ubuntu-24_04-lts", "server"),
    "Debian12": ("Debian", "debian-12", "12-gen2"),
    "Win2019Datacenter": ("MicrosoftWindowsServer", "WindowsServer", "2019-Datacenter"),
    "Win2022Datacenter": ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2"),
}
WITHOUT_NVME = ("ubuntuserver", "0001-com-ubuntu-server-focal")
SOLD_BY = "resf"  # whose images need a purchase plan

# An id of the right form is believed if the image was not made here: see image_facts.py.
CUSTOM_IMAGE = re.compile(
    r"/(subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/"
    r"(images/[^/]+|galleries/[^/]+/images/[^/]+(/versions/[^/]+)?)"
    r"|sharedGalleries/.+|communityGalleries/.+)",
    re.IGNORECASE,
)


def versions(publisher: str, offer: str, sku: str) -> tuple[str, ...]:
    """Return the image's versions in ascending order; none if there is no such image."""
    urn = _LOWER.get((publisher.lower(), offer.lower(), sku.lower()))
    return PLATFORM[urn] if urn else ()


def resolve(reference: Json) -> Json:
    """Return the reference as Azure shows it, with the exact version; raises Azure's refusal."""
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


def children(*chosen: str) -> list[str]:
    """Return all publishers, the offers of one, or the SKUs of a publisher's offer."""
    depth = len(chosen)
    wanted = tuple(part.lower() for part in chosen)
    return list(
        dict.fromkeys(urn[depth] for lower, urn in _LOWER.items() if lower[:depth] == wanted)
    )


def is_windows(reference: Json) -> bool:
    return str(reference.get("publisher", "")).lower().startswith("microsoftwindows")


def disk_gb(reference: Json) -> int:
    """Return the size of the OS disk that the image makes if the request gives none."""
    return 127 if is_windows(reference) else 30


def generation(reference: Json) -> str:
    """Return the Hyper-V generation, V1 or V2, which the image's name tells."""
    sku = str(reference.get("sku", "")).lower()
    modern = str(reference.get("offer", "")).lower() == "ubuntu-24_04-lts" and "gen1" not in sku
    rocky = str(reference.get("publisher", "")).lower() == SOLD_BY
    return "V2" if modern or rocky or sku.endswith(("-gen2", "-g2", "-arm64")) else "V1"


def architecture(reference: Json) -> str:
    return "Arm64" if str(reference.get("sku", "")).lower().endswith("arm64") else "x64"


def purchase_plan(reference: Json) -> Json:
    """Return what an image must be bought by; {} for those that are given away."""
    if str(reference.get("publisher", "")).lower() != SOLD_BY:
        return {}
    return {
        "publisher": reference["publisher"],
        "name": reference["sku"],
        "product": reference["offer"],
    }


def features(reference: Json) -> list[Json]:
    """Return what else Azure says of an image of generation 2; of others it says nothing."""
    if generation(reference) == "V1":
        return []
    found = {"IsAcceleratedNetworkSupported": "True"}
    if str(reference.get("offer", "")).lower() not in WITHOUT_NVME:
        found["DiskControllerTypes"] = "SCSI, NVMe"
    if str(reference.get("sku", "")).lower() == "cvm":
        found["SecurityType"] = "ConfidentialVmSupported"
    elif architecture(reference) == "x64":
        found["SecurityType"] = "TrustedLaunchSupported"
    return [{"name": name, "value": value} for name, value in found.items()]
