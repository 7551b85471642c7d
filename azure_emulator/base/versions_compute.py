"""Which api-versions of Microsoft.Compute show which members.

R: recorded. Recordings end with 2020-12-01; a bound above that is the version in which the member
was published (D), or U: unverified. Some URLs were recorded as 2019-03-01 and rewritten to
2020-06-01 later; where recordings of that version contradict each other, most of them decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from .resource_types import COMPUTE
from .version_windows import Table, Windows, between, since

OLD_DISKS = "2017-03-29"  # the last day of disks without a sku

# R, though odd: see above.
NOT_2020_06: Windows = (("2019-07-01", "2020-05-31"), ("2020-06-02", ""))
# The system in a scale set's model, if the request does not name it.
MODEL_OS_TYPE: Windows = since("2021-03-01")  # R: seldom before
# The size of an OS disk that the request did not name, once the VM is there.
DISK_SIZE: Windows = since("2017-03-30")  # R
# The agent's last report of a deallocated machine.
AGENT_STAYS: Windows = between("", "2017-12-31")  # R
# A list of the handlers of no extension.
EMPTY_HANDLERS: Windows = between("2017-03-30", "2019-03-01")  # R
# A scale set's model shows the size of its OS disk even if the request says none...
DEFAULT_DISK_SIZE: Windows = since("2019-07-01")  # R
# ...but with this version mostly only if there are data disks, too (R: 62 of 83; no reason known).
WITH_DATA_DISKS_ONLY = "2020-06-01"


# First answers to writes of disks have id and type, and that to a PATCH of a disk or a DELETE of a
# scale set has a Retry-After. D: seen in recent logs; U since when.
MORE_IN_ANSWERS = "2022-03-01"
MORE_RETRY_AFTER: Windows = since(MORE_IN_ANSWERS)


def _below(path: str, table: Table) -> dict[str, Windows]:
    return {f"{path}.{name}": windows for name, windows in table.items()}


# A member comes before what it is a part of.
_LOGIN: Table = {
    "allowExtensionOperations": since("2018-06-01"),  # R
    "requireGuestProvisionSignal": since("2019-03-01"),  # R
    "linuxConfiguration.provisionVMAgent": since("2018-06-01"),  # R
    "linuxConfiguration.patchSettings.assessmentMode": since("2021-03-01"),  # U
    "linuxConfiguration.patchSettings": since("2020-12-01"),  # R
    "windowsConfiguration.patchSettings.assessmentMode": since("2021-03-01"),  # U
    "windowsConfiguration.patchSettings": since("2020-12-01"),  # R
}
_STORAGE: Table = {
    "imageReference.exactVersion": NOT_2020_06,  # R
    "osDisk.deleteOption": since("2021-03-01"),  # D
    "dataDisks.toBeDetached": since("2019-03-01"),  # R
    "dataDisks.deleteOption": since("2021-03-01"),  # D
}
_MODEL_INTERFACE: Table = {
    "dnsSettings": since("2017-03-30"),  # R
    "enableAcceleratedNetworking": since("2017-03-30"),  # R
    "enableIPForwarding": since("2017-03-30"),  # R
    "ipConfigurations.properties.privateIPAddressVersion": since("2017-03-30"),  # R
    "ipConfigurations.properties.publicIPAddressConfiguration.properties.publicIPAddressVersion": (
        since("2020-12-01")  # R
    ),
}
_MODEL_LOGIN: Table = {
    **_LOGIN,
    # R: not before 2021; U since when.
    "linuxConfiguration.patchSettings": since("2021-03-01"),
    "windowsConfiguration.patchSettings": since("2021-03-01"),
}

_DISK_BODY: Table = {
    "sku": since("2017-03-30"),  # R
    "managedBy": since("2017-03-30"),  # R
    "properties.diskSizeBytes": since("2019-03-01"),  # R
    "properties.creationData.sourceUniqueId": since("2019-07-01"),  # R
}

TABLES: Mapping[str, Table] = {
    f"{COMPUTE}/virtualMachines": {
        "properties.timeCreated": since("2021-11-01"),  # D
        "properties.networkProfile.networkInterfaces.properties.deleteOption": (
            since("2021-03-01")  # D
        ),
        **_below("properties.osProfile", _LOGIN),
        **_below("properties.storageProfile", _STORAGE),
    },
    f"{COMPUTE}/virtualMachines/instanceView": {
        "hyperVGeneration": since("2019-03-01"),  # R
        "computerName": since("2018-06-01"),  # R: not in 2017, but in 2019; U since when
        "osName": since("2018-06-01"),  # the same
        "osVersion": since("2018-06-01"),  # the same
    },
    f"{COMPUTE}/virtualMachineScaleSets": {
        "properties.timeCreated": since("2021-11-01"),  # D
        "properties.doNotRunExtensionsOnOverprovisionedVMs": since("2019-07-01"),  # R
        "properties.orchestrationMode": since("2021-03-01"),  # R: not before; U since when
        **_below("properties.virtualMachineProfile.osProfile", _MODEL_LOGIN),
        **_below("properties.virtualMachineProfile.storageProfile", _STORAGE),
        "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations.tags": (
            since("2025-04-01")  # D
        ),
        **_below(
            "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations"
            ".properties",
            _MODEL_INTERFACE,
        ),
    },
    f"{COMPUTE}/virtualMachineScaleSets/virtualMachines": {
        "properties.timeCreated": since("2021-11-01"),  # D
        "properties.hardwareProfile": since("2018-06-01"),  # R: not in 2016, U since when
        "properties.modelDefinitionApplied": since("2018-06-01"),  # the same
        "properties.networkProfileConfiguration": since("2018-06-01"),  # the same
        **_below("properties.osProfile", _LOGIN),
        **_below("properties.storageProfile", _STORAGE),
        **_below(
            "properties.networkProfileConfiguration.networkInterfaceConfigurations.properties",
            _MODEL_INTERFACE,
        ),
    },
    f"{COMPUTE}/disks/firstAnswer": {
        **_DISK_BODY,
        "id": since(MORE_IN_ANSWERS),
        "type": since(MORE_IN_ANSWERS),
        "name": since("2018-04-01"),  # R
        "properties.faultDomain": between("2019-07-01", "2020-06-30"),  # R; U since and until when
        "properties.osState": between("2019-07-01", "2020-06-30"),  # the same
    },
    f"{COMPUTE}/disks": {
        **_DISK_BODY,
        "properties.accountType": between("", OLD_DISKS),  # R
        "properties.ownerId": between("", OLD_DISKS),  # R
        "properties.diskIOPSReadWrite": since("2018-09-30"),  # R
        "properties.diskMBpsReadWrite": since("2018-09-30"),  # R
        "properties.uniqueId": since("2019-03-01"),  # R
        "properties.encryption": since("2019-07-01"),  # R
        "properties.hyperVGeneration": since("2018-09-30"),  # D
        "properties.networkAccessPolicy": since("2020-09-30"),  # R
        "properties.publicNetworkAccess": since("2021-04-01"),  # D
    },
    f"{COMPUTE}/availabilitySets": {
        "sku": since("2016-04-30"),  # R
    },
}
