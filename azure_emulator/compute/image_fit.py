"""Refusals of machines whose size, disk, plan or security type doesn't fit their image.

Words and codes are those that users of Azure report: see the table in docs/explanation/emulator.md.
"""

from __future__ import annotations

from ..base import errors, skus
from ..base.messages import Json
from ..base.store import Resource
from ..state import Emulator
from . import image_facts, marketplace, vm_words
from .image_facts import Facts

CONFIDENTIAL = "ConfidentialVM"
TRUSTED_LAUNCH = "TrustedLaunch"


def check(em: Emulator, resource: Resource, size: skus.Size, profile: Json) -> None:
    """Refuse a new VM, or a scale set's model, at once, if Azure would.

    profile: what has the storageProfile; resource: what has the plan.
    """
    security = str((profile.get("securityProfile") or {}).get("securityType") or "")
    storage = profile.get("storageProfile") or {}
    facts = _facts(em, storage)
    _check_size(size, security)
    if facts is None:
        return
    if resource.hidden.get("default_disk_size") and facts.size_gb:
        storage["osDisk"]["diskSizeGB"] = facts.size_gb
    _check_processor(size, facts)
    _check_disks(size, facts, storage)
    _check_security(size, facts, security)
    vm_words.check_against_image(facts, storage)
    if facts.plan and resource.top.get("plan"):
        marketplace.check_terms(em, facts.plan)


def wrong_plan(em: Emulator, resource: Resource, profile: Json) -> errors.ArmError | None:
    """Return what the operation fails with if a plan is missing, or is given for an image that is
    not sold, which Azure finds out late."""
    facts = _facts(em, profile.get("storageProfile") or {})
    if facts is None or bool(facts.plan) == bool(resource.top.get("plan")):
        return None
    if not facts.plan:
        return errors.ArmError(
            400,
            "VMMarketplaceInvalidInput",
            "Creating a virtual machine from a non-Marketplace image does not need Plan "
            f"information in the request. VM: '{resource.id}'.",
        )
    return errors.ArmError(
        400,
        "VMMarketplaceInvalidInput",
        "Creating a virtual machine from Marketplace image or a custom image sourced from a "
        f"Marketplace image requires Plan information in the request. VM: '{resource.id}'.",
    )


def _facts(em: Emulator, storage: Json) -> Facts | None:
    reference = storage.get("imageReference")
    return image_facts.of(em, reference) if reference else None


def _check_processor(size: skus.Size, facts: Facts) -> None:
    own = skus.architecture(size)
    if own != facts.architecture:
        raise errors.ArmError(
            400,
            "BadRequest",
            f"Cannot create a VM of size '{size.name}' because this VM size only supports a CPU "
            f"Architecture of '{own}', but an image or disk with CPU Architecture "
            f"'{facts.architecture}' was given. Please check that the CPU Architecture of the "
            "image or disk is compatible with that of the VM size.",
        )
    if facts.generation not in skus.generations(size):
        number = facts.generation.removeprefix("V")
        raise errors.ArmError(
            400,
            "BadRequest",
            f"The selected VM size '{size.name}' cannot boot Hypervisor Generation '{number}'. If "
            "this was a Create operation please check that the Hypervisor Generation of the Image "
            "matches the Hypervisor Generation of the selected VM Size. If this was an Update "
            f"operation please select a Hypervisor Generation '{number}' VM Size. For more "
            "information, see https://aka.ms/azuregen2vm",
        )


def _check_disks(size: skus.Size, facts: Facts, storage: Json) -> None:
    if skus.disk_controller(size) not in facts.controllers:
        raise errors.invalid_parameter(
            "vmSize",
            f"The VM size '{size.name}' cannot boot with OS image or disk. Please check that disk "
            "controller types supported by the OS image or disk is one of the supported disk "
            f"controller types for the VM size '{size.name}'. Please query sku api at "
            "https://aka.ms/azure-compute-skus  to determine supported disk controller types for "
            "the VM size.",
        )
    wanted = (storage.get("osDisk") or {}).get("diskSizeGB")
    if wanted and wanted < facts.size_gb:
        raise errors.ArmError(
            409,
            "OperationNotAllowed",
            f"The specified disk size {wanted} GB is smaller than the size of the corresponding "
            f"disk in the VM image: {facts.size_gb} GB. This is not allowed. Please choose equal "
            "or greater size or do not specify an explicit size.",
            target="osDisk.diskSizeGB",
        )
    if len(facts.data_disk_luns) > skus.max_data_disks(size):
        raise errors.operation_not_allowed(
            "The maximum number of data disks allowed to be attached to a VM of this size is "
            f"{skus.max_data_disks(size)}."
        )


def _check_size(size: skus.Size, security: str) -> None:
    if size.has("C") != (security == CONFIDENTIAL):
        shown = security or "<NULL>"
        raise errors.ArmError(
            400,
            "BadRequest",
            f"The VM size '{size.name}' is not supported for creation of VMs and Virtual Machine "
            f"Scale Set with '{shown}' security type.",
        )


def _check_security(size: skus.Size, facts: Facts, security: str) -> None:
    only = facts.security if facts.security in (TRUSTED_LAUNCH, CONFIDENTIAL) else ""
    if only and only != security:
        raise errors.ArmError(
            400,
            "BadRequest",
            "The provided gallery image only supports creation of VMs and VM Scale Sets with "
            f"'{only}' security type.",
        )
    confidential = "confidentialvm" in facts.security.lower()
    if (security == CONFIDENTIAL and not confidential) or (
        security == TRUSTED_LAUNCH and (facts.generation == "V1" or size.has("R"))
    ):
        raise errors.invalid_parameter(
            "securityProfile.securityType",
            f"The value '{security}' of parameter 'securityProfile.securityType' is invalid: "
            "neither the image nor the VM size may exclude it.",
        )
