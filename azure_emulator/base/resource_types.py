"""The names of the resource types that the emulator serves, in Azure's spelling."""

from __future__ import annotations

COMPUTE = "Microsoft.Compute"
AVAILABILITY_SET = f"{COMPUTE}/availabilitySets"
DISK = f"{COMPUTE}/disks"
GALLERY = f"{COMPUTE}/galleries"
GALLERY_IMAGE = f"{GALLERY}/images"
GALLERY_IMAGE_VERSION = f"{GALLERY_IMAGE}/versions"
IMAGE = f"{COMPUTE}/images"
PROXIMITY_GROUP = f"{COMPUTE}/proximityPlacementGroups"
SCALE_SET = f"{COMPUTE}/virtualMachineScaleSets"
SNAPSHOT = f"{COMPUTE}/snapshots"
SSH_KEY = f"{COMPUTE}/sshPublicKeys"
VM = f"{COMPUTE}/virtualMachines"

NETWORK = "Microsoft.Network"
NAT_GATEWAY = f"{NETWORK}/natGateways"
NIC = f"{NETWORK}/networkInterfaces"
NSG = f"{NETWORK}/networkSecurityGroups"
PUBLIC_IP = f"{NETWORK}/publicIPAddresses"
VNET = f"{NETWORK}/virtualNetworks"
PEERING = f"{VNET}/virtualNetworkPeerings"

AUTHORIZATION = "Microsoft.Authorization"
LOCK = f"{AUTHORIZATION}/locks"
ROLE_ASSIGNMENT = f"{AUTHORIZATION}/roleAssignments"
ROLE_DEFINITION = f"{AUTHORIZATION}/roleDefinitions"

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
