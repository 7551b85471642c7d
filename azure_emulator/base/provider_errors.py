"""Refusals of one resource provider alone, Compute or Network, in the words it uses."""

from __future__ import annotations

from .errors import ArmError, operation_not_allowed


def in_use(code: str, message: str) -> ArmError:
    return ArmError(400, code, message)


def subnet_in_use(name: str, user: str) -> ArmError:
    return in_use(
        "InUseSubnetCannotBeDeleted",
        f"Subnet {name} is in use by {user} and cannot be deleted. In order to delete the subnet, "
        "delete all the resources within the subnet. See aka.ms/deletesubnet.",
    )


def public_ip_in_use(referrer: str, address: str, holder: str) -> ArmError:
    return in_use(
        "PublicIPAddressInUse",
        f"Resource {referrer} is referencing public IP address {address} that is already "
        f"allocated to resource {holder}.",
    )


def address_in_no_subnet(address: str, vnet: str) -> ArmError:
    return ArmError(
        400,
        "PrivateIPAddressNotInAnySubnet",
        f"Private static IP address {address} does not belong to the range of any subnet in the "
        f"virtual network {vnet}.",
    )


def os_provisioning_timed_out(name: str) -> ArmError:
    return ArmError(
        409,
        "OSProvisioningTimedOut",
        f"OS Provisioning for VM '{name}' did not finish in the allotted time. The VM may still "
        "finish provisioning successfully. Please check provisioning state later. For details on "
        "how to check current provisioning state of Windows VMs, refer to "
        "https://aka.ms/WindowsVMLifecycle and Linux VMs, refer to https://aka.ms/LinuxVMLifecycle.",
    )


def quota_exceeded(location: str, name: str, limit: int, current: int, required: int) -> ArmError:
    return operation_not_allowed(
        f"Operation could not be completed as it results in exceeding approved {name} quota. "
        f"Additional details - Deployment Model: Resource Manager, Location: {location}, Current "
        f"Limit: {limit}, Current Usage: {current}, Additional Required: {required}, (Minimum) New "
        f"Limit Required: {current + required}. Setup Alerts when Quota reaches threshold. Learn "
        "more at https://aka.ms/quotamonitoringalerting . Submit a request for Quota increase at "
        "https://aka.ms/ProdportalCRP/#blade/Microsoft_Azure_Capacity/UsageAndQuota.ReactView by "
        "specifying parameters listed in the 'Details' section for deployment to succeed. Please "
        "read more about quota limits at "
        "https://docs.microsoft.com/en-us/azure/azure-supportability/per-vm-quota-requests"
    )


def identity_operation_failed(identity: str, holder: str) -> ArmError:
    return ArmError(
        400,
        "FailedIdentityOperation",
        f"Identity operation for resource '{holder}' failed with error 'Failed to perform resource "
        'identity operation. Status: \'BadRequest\'. Response: \'{"error":{"code":"BadRequest",'
        f"\"message\":\"Resource '{identity}' was not found.\"}}}}''.",
    )


def sku_not_available(size: str, location: str) -> ArmError:
    return ArmError(
        409,
        "SkuNotAvailable",
        "The requested VM size for resource 'Following SKUs have failed for Capacity "
        f"Restrictions: {size}' is currently not available in location '{location}'. Please try "
        "another size or deploy to a different location or different zone. See "
        "https://aka.ms/azureskunotavailable for details.",
    )


def identity_missing(holder: str) -> ArmError:
    """Refuse the type UserAssigned without any identity; the words are unverified."""
    return ArmError(
        400,
        "InvalidUserAssignedIdentities",
        f"The type UserAssigned of the identity of resource '{holder}' needs at least one identity "
        "in 'userAssignedIdentities'.",
    )
