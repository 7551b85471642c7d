"""Where Azure takes other bodies than its SDK's models say, and why that is known."""

from __future__ import annotations

from collections.abc import Mapping

# The SDK lists the sizes of one day; images.py and skus.py know which exist here. vm_body.py knows
# when an eviction policy must be one.
OPEN_ENUMS = {"VirtualMachineEvictionPolicyTypes", "VirtualMachineSizeTypes"}

# Required by the resource provider, though optional in the model, since one class serves PUT,
# PATCH and answers. MissingJsonReferenceId and "Required parameter ... is missing" name them.
REQUIRED: Mapping[str, Mapping[str, str]] = {
    "management": {},
    "resources": {},
    "network": {
        "AddressSpace": "addressPrefixes",
        "NetworkInterface": "location properties",
        "NetworkInterfaceIPConfiguration": "name properties",
        "NetworkInterfacePropertiesFormat": "ipConfigurations",
        "NatGateway": "location",
        "NetworkSecurityGroup": "location",
        "PublicIPAddress": "location",
        "SecurityRule": "properties",
        "SubResource": "id",
        "VirtualNetwork": "location properties",
        "VirtualNetworkPeering": "properties",
        "VirtualNetworkPropertiesFormat": "addressSpace",
    },
    "compute": {
        "ApiEntityReference": "id",
        "NetworkInterfaceReference": "id",
        "SubResource": "id",
        "VirtualMachine": "properties",
        "VirtualMachineScaleSet": "properties",
    },
}

# Whose PUT may leave out the properties of what exists, which then stay: `az vmss scale` does.
KEEPING = frozenset(["VirtualMachine", "VirtualMachineScaleSet"])

# Members that point to another resource. The SDK's model is that resource's whole type, and
# clients do send it whole (recorded: a NIC's publicIPAddress with etag and provisioningState).
REFERENCES: Mapping[str, frozenset[str]] = {
    "management": frozenset(),
    "resources": frozenset(),
    "network": frozenset(
        """
        applicationGatewayBackendAddressPools applicationSecurityGroups ddosCustomPolicy
        ddosProtectionPlan destinationApplicationSecurityGroups linkedPublicIPAddress
        loadBalancerBackendAddressPools loadBalancerInboundNatRules natGateway
        networkSecurityGroup privateLinkService publicIPAddress publicIPPrefix
        remoteVirtualNetwork routeTable serviceEndpointPolicies servicePublicIPAddress
        sourceApplicationSecurityGroups subnet virtualNetworkTaps
        """.split()
    ),
    "compute": frozenset(),
}

# Members of older api-versions' models (2015-06-15 to 2021-05-01) that the newest one lacks, and
# (as "~", which is ignored) what recorded answers show though no model has it: it comes back when
# a resource that was read is written.
_UPDATE = {
    "id": "~",
    "name": "~",
    "type": "~",
}  # api-version 2019-07-01 derives these from Resource
_DISK = {"accountType": "string", "encryptionSettings": "any", "ownerId": "string"}
OLDER_MEMBERS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "management": {},
    "resources": {},
    "network": {
        "BackendAddressPoolPropertiesFormat": {"outboundNatRule": "any"},
        "DdosSettings": {"protectedIP": "boolean", "protectionCoverage": "string"},
        "FrontendIPConfigurationPropertiesFormat": {"outboundNatRules": "any"},
        "NetworkInterface": {"kind": "~"},
        "NetworkInterfaceIPConfigurationPropertiesFormat": {"isInUseWithService": "~"},
        "NetworkInterfacePropertiesFormat": {
            "interfaceEndpoint": "any",
            "services": "~",
            "virtualNetworkTapProvisioningState": "~",
        },
        "PrivateLinkServiceProperties": {"resourceGuid": "~"},
        "SubnetPropertiesFormat": {"interfaceEndpoints": "any", "subnetID": "~"},
        "VirtualNetworkPeeringPropertiesFormat": {"routeServiceVips": "~"},
    },
    "compute": {
        "AvailabilitySetProperties": {"managed": "boolean"},
        "AvailabilitySetUpdate": _UPDATE,
        "DiskProperties": _DISK,
        "DiskUpdateProperties": {**_DISK, "creationData": "any"},
        "ImageUpdate": _UPDATE,
        "SnapshotProperties": _DISK,
        "SnapshotUpdateProperties": {**_DISK, "creationData": "any"},
        "UpdateResource": _UPDATE,
        "UpgradePolicy": {"autoOSUpgradePolicy": "any", "automaticOSUpgrade": "boolean"},
        "VirtualMachineIdentity": {"identityIds": "[]string"},
        "VirtualMachineScaleSetIPConfiguration": {"id": "string"},
        "VirtualMachineScaleSetIdentity": {"identityIds": "[]string"},
        "VirtualMachineScaleSetNetworkConfiguration": {"id": "string"},
        "VirtualMachineScaleSetUpdate": _UPDATE,
        "VirtualMachineScaleSetUpdateIPConfiguration": {"id": "string"},
        "VirtualMachineScaleSetUpdateNetworkConfiguration": {"id": "string"},
        "VirtualMachineScaleSetVMProfile": {"additionalCapabilities": "any"},
        "VirtualMachineScaleSetVMProperties": {
            "billingProfile": "~",
            "evictionPolicy": "~",
            "priority": "~",
        },
        "VirtualMachineUpdate": _UPDATE,
    },
}

# Read-only members that a creation may carry all the same: ARM's own envelope, which it fills in
# from the path, and the etag, which says no more than the If-Match header.
ENVELOPE = frozenset(["id", "name", "type", "etag"])
