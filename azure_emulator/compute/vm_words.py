"""Refusals of machines for words of their profile that Azure doesn't know, or not for their image.

Codes and words marked "reported" are those that users of Azure report; others are unverified.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from ..base import errors
from ..base.messages import Json
from .disk_meaning import PERFORMANCE
from .image_facts import Facts

# What `az vm create --license-type` offers.
LICENSES = frozenset(
    "None Windows_Server Windows_Client RHEL_BYOS SLES_BYOS RHEL_ELS_6 RHEL_BASE RHEL_SAPAPPS "
    "RHEL_SAPHA RHEL_EUS RHEL_BASESAPAPPS RHEL_BASESAPHA SLES SLES_SAP SLES_HPC SLES_STANDARD "
    "UBUNTU UBUNTU_PRO".split()
)
BLOB_DOMAIN = "blob.core.windows.net"  # of Azure's public cloud


def check(profile: Json) -> None:
    """Refuse words in the properties of a machine, or in the profile of a scale set's model."""
    licence = profile.get("licenseType")
    if licence is not None and licence not in LICENSES:
        raise errors.invalid_parameter(
            "licenseType", f"The value '{licence}' of parameter 'licenseType' is invalid."
        )
    boot = (profile.get("diagnosticsProfile") or {}).get("bootDiagnostics") or {}
    if boot.get("storageUri"):
        _check_blob_url(str(boot["storageUri"]))


def _check_blob_url(text: str) -> None:
    try:
        address = urlsplit(text)
        host = address.hostname or ""
    except ValueError:
        address, host = urlsplit(""), ""
    if address.scheme not in ("http", "https") or not host.endswith(f".{BLOB_DOMAIN}"):
        raise errors.invalid_parameter(  # reported
            "bootDiagnostics.storageAccountUri", f"The blob URL's domain must be {BLOB_DOMAIN}."
        )


def check_single(properties: Json) -> None:
    """Refuse what only the models of scale sets may say: how fast the data disks are."""
    for disk in (properties.get("storageProfile") or {}).get("dataDisks") or []:
        for name in PERFORMANCE:
            if name in disk:
                raise errors.invalid_parameter(  # reported
                    f"dataDisk.{name}",
                    f"Property 'dataDisk.{name}' can be enabled only on VMs in a Virtual Machine "
                    "Scale Set.",
                )


def check_against_image(facts: Facts, storage: Json) -> None:
    """Refuse a system, or data disks, that the image hasn't."""
    system = (storage.get("osDisk") or {}).get("osType")
    if system and facts.system and system.lower() != facts.system.lower():
        raise errors.invalid_parameter(
            "osDisk.osType",
            f"The value '{system}' of parameter 'osDisk.osType' is invalid: the image is one of "
            f"{facts.system}.",
        )
    wanted = {
        disk["lun"]
        for disk in storage.get("dataDisks") or []
        if disk.get("createOption") == "FromImage"
    }
    if not wanted <= set(facts.data_disk_luns):
        raise errors.invalid_parameter(  # reported, of an image whose data disks are left out
            "storageProfile",
            "StorageProfile.dataDisks.lun does not have required value(s) for image specified in "
            "storage profile.",
        )
