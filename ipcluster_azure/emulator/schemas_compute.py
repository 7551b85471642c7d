"""Request bodies of Microsoft.Compute, as far as they are served."""

from __future__ import annotations

from typing import Any

from .schema import Shape
from .schemas_network import EXPANDED, TOP

REFERENCE = Shape("SubResource", {"id!": "string"})
DELETE_OPTION = ("Delete", "Detach")

SSH_KEY = Shape("SshPublicKey", {"path": "string", "keyData": "string"})
OS_PROFILE_MEMBERS: dict[str, Any] = {
    "adminUsername": "string",
    "adminPassword": "string",
    "customData": "string",
    "linuxConfiguration": Shape(
        "LinuxConfiguration",
        {
            "disablePasswordAuthentication": "boolean",
            "ssh": Shape("SshConfiguration", {"publicKeys": [SSH_KEY]}),
            "provisionVMAgent": "boolean",
            "patchSettings": "any",
            "enableVMAgentPlatformUpdates": "boolean",
        },
    ),
    "windowsConfiguration": "any",
    "secrets": ["any"],
    "allowExtensionOperations": "boolean",
    "requireGuestProvisionSignal": "boolean",
}
OS_PROFILE = Shape("OSProfile", {"computerName": "string", **OS_PROFILE_MEMBERS})

MANAGED_DISK = Shape(
    "ManagedDiskParameters",
    {
        "id": "string",
        "storageAccountType": "string",
        "diskEncryptionSet": REFERENCE,
        "securityProfile": "any",
    },
)
OS_DISK = Shape(
    "OSDisk",
    {
        "osType": ("Linux", "Windows"),
        "name": "string",
        "caching": ("None", "ReadOnly", "ReadWrite"),
        "writeAcceleratorEnabled": "boolean",
        "diffDiskSettings": Shape(
            "DiffDiskSettings",
            {
                "option": ("Local",),
                "placement": ("CacheDisk", "ResourceDisk", "NvmeDisk"),
                "enableFullCaching": "boolean",
            },
        ),
        "createOption!": ("FromImage", "Attach", "Empty"),
        "diskSizeGB": "integer",
        "managedDisk": MANAGED_DISK,
        "deleteOption": DELETE_OPTION,
    },
)
STORAGE_PROFILE = Shape(
    "StorageProfile",
    {
        "imageReference": Shape(
            "ImageReference",
            {
                "id": "string",
                "publisher": "string",
                "offer": "string",
                "sku": "string",
                "version": "string",
                "exactVersion~": "any",
                "sharedGalleryImageId": "string",
                "communityGalleryImageId": "string",
            },
        ),
        "osDisk": OS_DISK,
        "dataDisks": ["any"],
        "diskControllerType": ("SCSI", "NVMe"),
    },
)

PUBLIC_IP_CONFIGURATION = Shape(
    "VirtualMachinePublicIPAddressConfiguration",
    {
        "name!": "string",
        "properties": Shape(
            "VirtualMachinePublicIPAddressConfigurationProperties",
            {
                "idleTimeoutInMinutes": "integer",
                "deleteOption": DELETE_OPTION,
                "dnsSettings": "any",
                "ipTags": ["any"],
                "publicIPAddressVersion": ("IPv4", "IPv6"),
                "publicIPAllocationMethod": ("Static", "Dynamic"),
            },
        ),
        "sku": Shape("PublicIPAddressSku", {"name": "string", "tier": "string"}),
        "tags": "tags",
    },
)
# No static private address: Azure's schema has no place for one here.
INLINE_IP_CONFIGURATION = Shape(
    "VirtualMachineNetworkInterfaceIPConfiguration",
    {
        "name!": "string",
        "properties": Shape(
            "VirtualMachineNetworkInterfaceIPConfigurationProperties",
            {
                "subnet": EXPANDED,
                "primary": "boolean",
                "publicIPAddressConfiguration": PUBLIC_IP_CONFIGURATION,
                "privateIPAddressVersion": ("IPv4", "IPv6"),
                "applicationSecurityGroups": ["any"],
                "loadBalancerBackendAddressPools": ["any"],
            },
        ),
    },
)
INLINE_NIC = Shape(
    "VirtualMachineNetworkInterfaceConfiguration",
    {
        "name!": "string",
        "id~": "any",
        "properties": Shape(
            "VirtualMachineNetworkInterfaceConfigurationProperties",
            {
                "primary": "boolean",
                "deleteOption": DELETE_OPTION,
                "enableAcceleratedNetworking": "boolean",
                "enableIPForwarding": "boolean",
                "disableTcpStateTracking": "boolean",
                "enableFpga": "boolean",
                "networkSecurityGroup": EXPANDED,
                "dnsSettings": "any",
                "ipConfigurations!": [INLINE_IP_CONFIGURATION],
                "auxiliaryMode": "string",
                "auxiliarySku": "string",
            },
        ),
        "tags": "tags",
    },
)
NETWORK_API_VERSION = ("2020-11-01", "2022-11-01")
NETWORK_PROFILE = Shape(
    "NetworkProfile",
    {
        "networkInterfaces": [
            Shape(
                "NetworkInterfaceReference",
                {
                    "id!": "string",
                    "properties": Shape(
                        "NetworkInterfaceReferenceProperties",
                        {"primary": "boolean", "deleteOption": DELETE_OPTION},
                    ),
                },
            )
        ],
        "networkApiVersion": NETWORK_API_VERSION,
        "networkInterfaceConfigurations": [INLINE_NIC],
    },
)

# What a VM and a scale set's VM profile have in common.
SHARED_PROFILE: dict[str, Any] = {
    "storageProfile": STORAGE_PROFILE,
    "networkProfile": NETWORK_PROFILE,
    "securityProfile": "any",
    "diagnosticsProfile": "any",
    "priority": ("Regular", "Low", "Spot"),
    "evictionPolicy": ("Deallocate", "Delete"),
    "billingProfile": Shape("BillingProfile", {"maxPrice": "number"}),
    "licenseType": "string",
    "scheduledEventsProfile": "any",
    "userData": "string",
    "capacityReservation": "any",
    "applicationProfile": "any",
    "extensionProfile": "any",
}
HARDWARE_PROFILE = Shape("HardwareProfile", {"vmSize": "string", "vmSizeProperties": "any"})
TOP_COMPUTE: dict[str, Any] = {
    **TOP,
    "zones": ["string"],
    "identity": "any",
    "plan": "any",
    "extendedLocation": "any",
    "resources~": "any",
    "managedBy~": "any",
}
VM_PROPERTIES: dict[str, Any] = {
    **SHARED_PROFILE,
    "hardwareProfile": HARDWARE_PROFILE,
    "osProfile": OS_PROFILE,
    "additionalCapabilities": "any",
    "availabilitySet": REFERENCE,
    "virtualMachineScaleSet": REFERENCE,
    "proximityPlacementGroup": REFERENCE,
    "host": REFERENCE,
    "hostGroup": REFERENCE,
    "extensionsTimeBudget": "string",
    "platformFaultDomain": "integer",
    "scheduledEventsPolicy": "any",
    "provisioningState~": "any",
    "instanceView~": "any",
    "vmId~": "any",
    "timeCreated~": "any",
}
VIRTUAL_MACHINE = Shape(
    "VirtualMachine",
    {**TOP_COMPUTE, "properties!": Shape("VirtualMachineProperties", VM_PROPERTIES)},
)
# A PATCH may leave anything out; vmSize and tags are what can be changed here.
VIRTUAL_MACHINE_PATCH = Shape(
    "VirtualMachineUpdate",
    {
        "tags": "tags",
        "properties": Shape("VirtualMachineProperties", {"hardwareProfile": HARDWARE_PROFILE}),
    },
)
