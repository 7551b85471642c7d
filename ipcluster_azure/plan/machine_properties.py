"""Parts of request bodies that the controller's machine and the engines' have alike. Pure."""

from .cluster_plan import MachinePlan
from .image import CONFIDENTIAL
from .resource_types import Json
from .template_language import literal

# where an id is not that of a resource in a group
ID_MEMBERS = {
    "communitygalleries": "communityGalleryImageId",
    "sharedgalleries": "sharedGalleryImageId",
}


def zones(machine: MachinePlan) -> Json:
    return {"zones": [machine.zone]} if machine.zone else {}


def os_profile(machine: MachinePlan) -> Json:
    path = f"/home/{machine.admin_username}/.ssh/authorized_keys"
    return {
        "adminUsername": machine.admin_username,
        "customData": "[parameters('customData')]",
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [{"path": path, "keyData": "[parameters('sshPublicKey')]"}]},
        },
    }


def storage_profile(machine: MachinePlan) -> Json:
    disk: Json = {
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "deleteOption": "Delete",
        "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
    }
    if machine.os_disk_gb:
        disk["diskSizeGB"] = machine.os_disk_gb
    if machine.security_type == CONFIDENTIAL:
        guest_state: Json = {"securityEncryptionType": "VMGuestStateOnly"}
        disk["managedDisk"]["securityProfile"] = guest_state
    return {"imageReference": _image_reference(machine.image), "osDisk": disk}


def _image_reference(name: str) -> Json:
    if not name.startswith("/"):
        parts = map(literal, name.split(":"))
        return dict(zip(("publisher", "offer", "sku", "version"), parts, strict=True))
    kind = name.split("/")[1].lower()
    return {ID_MEMBERS.get(kind, "id"): name}


def security_profile(machine: MachinePlan) -> Json:
    """What a machine of that security type must have; else nothing, and Azure chooses."""
    if not machine.security_type:
        return {}
    profile: Json = {"securityType": machine.security_type}
    if machine.security_type == CONFIDENTIAL:
        profile["uefiSettings"] = {"vTpmEnabled": True}
    return {"securityProfile": profile}


def diagnostics_profile(machine: MachinePlan) -> Json:
    """Without the URI of a storage account the log is in Azure's own, which needs no making."""
    if not machine.boot_diagnostics:
        return {}
    return {"diagnosticsProfile": {"bootDiagnostics": {"enabled": True}}}


def purchase_plan(machine: MachinePlan) -> Json:
    bought = {name: literal(value) for name, value in machine.purchase_plan.items()}
    return {"plan": bought} if bought else {}
