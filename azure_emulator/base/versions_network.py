"""Which api-versions of Microsoft.Network show which members.

R: recorded. Recordings end with 2021-05-01; a bound between two recorded versions is the version
in which the member was published, where that is known, else the later of the two. U: unverified.
"""

from __future__ import annotations

from collections.abc import Mapping

from .resource_types import NETWORK
from .version_windows import Table, between, since

_SUBNET: Table = {
    "type": (("2015-06-15", "2015-06-15"), ("2018-06-01", "")),  # R: the first in 2020
    "properties.delegations": since("2018-04-01"),  # R
    "properties.privateEndpointNetworkPolicies": since("2019-02-01"),  # R
    "properties.privateLinkServiceNetworkPolicies": since("2019-02-01"),  # R
    "properties.purpose": since("2019-02-01"),  # R
    "properties.defaultOutboundAccess": since("2023-11-01"),  # U
    # R: all recordings of that version made in October 2020, and no other, have it.
    "properties.subnetID": between("2019-11-01", "2019-11-01"),
    "properties.sharingScope": since("2024-05-01"),  # U
}
_RULE: Table = {
    "type": since("2018-06-01"),  # R
    "properties.sourcePortRanges": since("2017-06-01"),  # R
    "properties.destinationPortRanges": since("2017-06-01"),  # R
    "properties.sourceAddressPrefixes": since("2017-06-01"),  # R
    "properties.destinationAddressPrefixes": since("2017-06-01"),  # R
}

# Answers to writes and deletions of whole resources name this header; a part of one never does.
# R: Azure-AsyncNotification; of 2015-06-15 there are only recordings of a later year.
NOTIFICATION = (("2015-06-15", "2015-06-15"), ("2019-11-01", ""))
NOTIFYING_RESULTS = since("2020-11-01")  # R: the same of the answer that an operation ended with

# From here on a subnet is private unless it says otherwise.
PRIVATE_SUBNETS = since("2025-07-01")  # D

# Policies for private endpoints are on in subnets of these, unless a request turns them off.
ENDPOINT_POLICIES = between("", "2022-06-30")  # R; U until when

# Basic public IP addresses were retired on 2025-09-30; older api-versions still make them here.
BASIC_ENDS = "2025-09-01"
BASIC_PUBLIC_IPS = between("", "2025-08-31")  # U

TABLES: Mapping[str, Table] = {
    f"{NETWORK}/virtualNetworks": {
        "properties.enableDdosProtection": since("2017-08-01"),  # R
        "properties.virtualNetworkPeerings": since("2016-06-01"),  # R
        "properties.enableVmProtection": between("2017-08-01", "2020-07-01"),  # R
        "properties.privateEndpointVNetPolicies": since("2024-01-01"),  # U
    },
    f"{NETWORK}/virtualNetworks/subnets": _SUBNET,
    f"{NETWORK}/virtualNetworks/virtualNetworkPeerings": {
        "type": since("2018-06-01"),  # R
        "properties.doNotVerifyRemoteGateways": since("2018-06-01"),  # R
        "properties.resourceGuid": since("2018-06-01"),  # R
        "properties.peeringSyncLevel": since("2021-02-01"),  # R
        "properties.peerCompleteVnets": since("2021-02-01"),  # R
        "properties.remoteVirtualNetworkAddressSpace": since("2021-02-01"),  # R
    },
    f"{NETWORK}/networkSecurityGroups/securityRules": _RULE,
    f"{NETWORK}/networkSecurityGroups/defaultSecurityRules": _RULE,
    f"{NETWORK}/publicIPAddresses": {
        "sku": since("2017-08-01"),  # R
        # R, though odd: what is older than 2019-09-01 was recorded later than what is newer.
        "sku.tier": (("2018-02-01", "2019-06-01"), ("2020-07-01", "")),
        "properties.ipTags": since("2017-11-01"),  # R
        "properties.ddosSettings": since("2022-05-01"),  # D
    },
    f"{NETWORK}/networkInterfaces": {
        "kind": since("2022-01-01"),  # U since when
        "properties.hostedWorkloads": since("2018-08-01"),  # R
        "properties.tapConfigurations": since("2018-08-01"),  # R
        "properties.services": between("2018-04-01", "2018-07-01"),  # R
        "properties.virtualNetworkTapProvisioningState": between("2018-02-01", "2018-07-01"),  # R
        "properties.nicType": since("2019-12-01"),  # R
        "properties.vnetEncryptionSupported": since("2021-05-01"),  # R
        "properties.auxiliaryMode": since("2022-07-01"),  # U
        "properties.disableTcpStateTracking": since("2022-09-01"),  # U
        "properties.auxiliarySku": since("2023-02-01"),  # U
        "properties.ipConfigurations.type": since("2018-06-01"),  # R
        "properties.ipConfigurations.properties.isInUseWithService": between(
            "2018-02-01", "2018-07-01"
        ),  # R
    },
}
