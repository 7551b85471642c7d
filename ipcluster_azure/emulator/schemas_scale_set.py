"""Request bodies of Microsoft.Compute/virtualMachineScaleSets, as far as they are served."""

from __future__ import annotations

from .schema import Shape
from .schemas_compute import (
    HARDWARE_PROFILE,
    OS_PROFILE_MEMBERS,
    REFERENCE,
    SHARED_PROFILE,
    TOP_COMPUTE,
)

SET_OS_PROFILE = Shape(
    "VirtualMachineScaleSetOSProfile", {"computerNamePrefix": "string", **OS_PROFILE_MEMBERS}
)
SKU = Shape("Sku", {"name": "string", "tier": "string", "capacity": "integer"})
SET_PROFILE = Shape(
    "VirtualMachineScaleSetVMProfile",
    {
        **SHARED_PROFILE,
        "osProfile": SET_OS_PROFILE,
        "hardwareProfile": HARDWARE_PROFILE,
        "timeCreated~": "any",
    },
)
SCALE_SET = Shape(
    "VirtualMachineScaleSet",
    {
        **TOP_COMPUTE,
        "sku": SKU,
        "properties!": Shape(
            "VirtualMachineScaleSetProperties",
            {
                "orchestrationMode": ("Flexible", "Uniform"),
                "platformFaultDomainCount": "integer",
                "singlePlacementGroup": "boolean",
                "overprovision": "boolean",
                "upgradePolicy": "any",
                "virtualMachineProfile": SET_PROFILE,
                "zoneBalance": "boolean",
                "resiliencyPolicy": "any",
                "automaticRepairsPolicy": "any",
                "scaleInPolicy": "any",
                "spotRestorePolicy": "any",
                "priorityMixPolicy": "any",
                "constrainedMaximumCapacity": "boolean",
                "proximityPlacementGroup": REFERENCE,
                "additionalCapabilities": "any",
                "provisioningState~": "any",
                "uniqueId~": "any",
                "timeCreated~": "any",
            },
        ),
    },
)
SCALE_SET_PATCH = Shape("VirtualMachineScaleSetUpdate", {"tags": "tags", "sku": SKU})
INSTANCE_IDS = Shape("VirtualMachineScaleSetVMInstanceRequiredIDs", {"instanceIds!": ["string"]})
