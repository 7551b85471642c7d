"""Refusals of machines whose disks, zones or price Azure wouldn't take for their size.

Codes and words marked "reported" are those that users of Azure report; others are unverified.
"""

from __future__ import annotations

import re

from ..base import errors, skus
from ..base.messages import Json
from ..base.store import Resource
from . import vm_words

MINUTES = re.compile(r"PT(?:(?P<hours>\d{1,3})H)?(?:(?P<minutes>\d{1,4})M)?", re.ASCII)
LARGEST_OS_DISK_GB = 4095
LARGEST_DATA_DISK_GB = 32_767
LUNS = 64  # of any machine: 0 to 63
PREMIUM = ("Premium_LRS", "Premium_ZRS", "PremiumV2_LRS")
# No Spot size is cheaper: prices differ by size, region and day, and are not emulated.
LEAST_SPOT_PRICE_PER_VCPU_USD = 0.001


def check(size: skus.Size, profile: Json) -> None:
    """Refuse the disks and the price of a machine, or of a scale set's model."""
    storage = profile.get("storageProfile") or {}
    _check_os_disk(size, storage.get("osDisk") or {})
    for disk in storage.get("dataDisks") or []:
        check_data_disk(size, disk)
    _check_price(size, profile)
    _check_durations(profile)
    vm_words.check(profile)


def _check_durations(profile: Json) -> None:
    """Refuse times that are no ISO 8601 durations, or outside what Microsoft documents."""
    events = profile.get("scheduledEventsProfile") or {}
    notice = (events.get("terminateNotificationProfile") or {}).get("notBeforeTimeout")
    _check_minutes("terminateNotificationProfile.notBeforeTimeout", notice, 5, 15)
    _check_minutes("extensionsTimeBudget", profile.get("extensionsTimeBudget"), 15, 120)


def _check_minutes(name: str, text: str | None, least: int, most: int) -> None:
    if text is None:
        return
    match = MINUTES.fullmatch(text)
    minutes = 60 * int(match["hours"] or 0) + int(match["minutes"] or 0) if match else -1
    if not least <= minutes <= most:
        raise errors.invalid_parameter(
            name,
            f"The value '{text}' of parameter '{name}' is invalid. It must be an ISO 8601 duration "
            f"of {least} to {most} minutes.",
        )


def _check_os_disk(size: skus.Size, disk: Json) -> None:
    _check_account(size, disk)
    _check_range("osDisk.diskSizeGB", disk.get("diskSizeGB", 1), 1, LARGEST_OS_DISK_GB)
    if not (disk.get("diffDiskSettings") or {}).get("option"):
        return
    if disk.get("caching", "ReadOnly") != "ReadOnly":
        raise errors.invalid_parameter(
            "osDisk.caching", "An ephemeral OS disk supports only the caching type 'ReadOnly'."
        )
    room_gb = skus.local_disk_gb(size)
    if not room_gb or disk.get("diskSizeGB", 1) > room_gb:
        raise errors.operation_not_allowed(  # reported
            f"OS disk of Ephemeral VM with size greater than {room_gb} GB is not allowed for VM "
            f"size {size.name} when the DiffDiskPlacement is ResourceDisk."
        )


def check_data_disk(size: skus.Size, disk: Json) -> None:
    _check_account(size, disk)
    _check_range("dataDisk.lun", disk.get("lun", 0), 0, LUNS - 1)
    _check_range("dataDisk.diskSizeGB", disk.get("diskSizeGB", 1), 1, LARGEST_DATA_DISK_GB)


def _check_account(size: skus.Size, disk: Json) -> None:
    account = (disk.get("managedDisk") or {}).get("storageAccountType")
    if account in PREMIUM and not size.has("P"):
        raise errors.invalid_parameter(  # reported
            "storageAccountType",
            f"Requested operation cannot be performed because storage account type '{account}' is "
            f"not supported for VM size '{size.name}'.",
        )


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise errors.invalid_parameter(
            name,
            f"The value '{value}' of parameter '{name}' is out of range. The value must be between "
            f"'{least}' and '{most}', inclusive.",
        )


def _check_price(size: skus.Size, profile: Json) -> None:
    price = (profile.get("billingProfile") or {}).get("maxPrice")
    if price is None or price == -1:
        return
    if price <= 0:
        raise errors.invalid_parameter(
            "billingProfile.maxPrice",
            f"The value '{price}' of parameter 'billingProfile.maxPrice' is invalid: it must be -1 "
            "or greater than 0.",
        )
    least = LEAST_SPOT_PRICE_PER_VCPU_USD * size.vcpus
    if price < least:
        raise errors.operation_not_allowed(  # reported
            "Unable to perform operation 'Create VM' since the provided max price "
            f"'{price:g} USD' is lower than the current spot price '{least:g} USD' for Azure Spot "
            f"VM size '{size.name}'. For more information, see http://aka.ms/AzureSpot/errormessages."
        )


def check_one_zone(vm: Resource) -> None:
    if len(vm.top.get("zones") or []) > 1:
        raise errors.invalid_parameter(
            "zones", f"Virtual machine '{vm.name}' can be in one availability zone only."
        )


def check_same_zones(resource: Resource, body: Json) -> None:
    """Refuse a change of a machine's or a scale set's zones; what a body leaves out stays."""
    given = body.get("zones")
    if given is not None and sorted(given) != sorted(resource.top.get("zones") or []):
        raise errors.property_change("zones")
