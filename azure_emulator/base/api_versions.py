"""Types of Microsoft.Compute whose api-versions are not those of virtual machines.

Disks and SKUs come from services of their own, with versions of their own: Azure refuses
2025-04-01, one of virtual machines, for a disk. The lists are those of the published
specifications (Azure/azure-rest-api-specs) and of Azure's own refusals. Of all other types any
version passes here that is not one of disks or SKUs alone, because SDKs go with the time; for the
same reason a version that is newer than all that are known here passes for every type.
"""

from __future__ import annotations

from .errors import GATEWAY, ArmError
from .regions import REGIONS
from .resource_types import (
    AVAILABILITY_SET,
    COMPUTE,
    DISK,
    PROXIMITY_GROUP,
    SCALE_SET,
    SNAPSHOT,
    SSH_KEY,
    VM,
)

MACHINES = (
    "2015-05-01-preview 2015-06-15 2016-03-30 2016-04-30-preview 2016-08-30 2017-03-30 2017-12-01 "
    "2018-04-01 2018-06-01 2018-10-01 2019-03-01 2019-07-01 2019-12-01 2020-06-01 2020-12-01 "
    "2021-03-01 2021-04-01 2021-07-01 2021-11-01 2022-03-01 2022-08-01 2022-11-01 2023-03-01 "
    "2023-07-01 2023-09-01 2024-03-01 2024-07-01 2024-11-01 2025-04-01 2025-11-01 2026-03-01 "
    "2026-04-01"
).split()
DISKS = (
    "2016-04-30-preview 2017-03-30 2018-04-01 2018-06-01 2018-09-30 2019-03-01 2019-07-01 "
    "2019-11-01 2020-05-01 2020-06-30 2020-09-30 2020-12-01 2021-04-01 2021-08-01 2021-12-01 "
    "2022-03-02 2022-07-02 2023-01-02 2023-04-02 2023-10-02 2024-03-02 2025-01-02 2026-03-02"
).split()
SKUS = ["2017-03-30", "2017-09-01", "2019-04-01", "2021-07-01"]

# By type in lower case, as requests may spell it.
OWN = {DISK.lower(): DISKS, SNAPSHOT.lower(): DISKS, f"{COMPUTE}/skus".lower(): SKUS}
LIKE_MACHINES = {
    kind.lower()
    for kind in (
        *(VM, SCALE_SET, f"{SCALE_SET}/virtualMachines"),
        *(AVAILABILITY_SET, PROXIMITY_GROUP, SSH_KEY),
    )
}
FOREIGN = {*DISKS, *SKUS} - {*MACHINES}
NEWEST = max(*MACHINES, *DISKS, *SKUS)


def check(resource_type: str, api_version: str, location: str | None) -> None:
    """Raise Azure's refusal of an api-version that the resource type doesn't have.

    location: the region of the resource, or None for a list, which Azure refuses in other words.
    """
    known_as = resource_type.lower()
    if known_as in OWN:
        supported = OWN[known_as]
        passes = api_version in supported or api_version > NEWEST
    else:
        supported = MACHINES
        passes = known_as not in LIKE_MACHINES or api_version not in FOREIGN
    if passes:
        return
    namespace, _, kind = resource_type.partition("/")
    if location is None:
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api "
            f"version '{api_version}'. The supported api-versions are '{','.join(supported)}'.",
            headers=GATEWAY,
        )
    raise ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version "
        f"'{api_version}' for type '{kind}'. The supported api-versions are "
        f"'{', '.join(supported)}'. The supported locations are '{', '.join(REGIONS)}'.",
        headers=GATEWAY,
    )
