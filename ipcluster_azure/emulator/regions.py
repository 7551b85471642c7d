"""Azure's public regions, and the normal spelling of a region's name."""

from __future__ import annotations

from . import errors

REGIONS = [
    *("eastus", "eastus2", "southcentralus", "westus2", "westus3", "australiaeast"),
    *("southeastasia", "northeurope", "swedencentral", "uksouth", "westeurope", "centralus"),
    *("southafricanorth", "centralindia", "eastasia", "japaneast", "koreacentral"),
    *("newzealandnorth", "canadacentral", "francecentral", "germanywestcentral", "italynorth"),
    *("norwayeast", "polandcentral", "spaincentral", "switzerlandnorth", "mexicocentral"),
    *("uaenorth", "brazilsouth", "israelcentral", "qatarcentral", "northcentralus", "westus"),
    *("japanwest", "westcentralus", "southafricawest", "australiacentral"),
    *("australiacentral2", "australiasoutheast", "koreasouth", "southindia", "westindia"),
    *("canadaeast", "francesouth", "germanynorth", "norwaywest", "switzerlandwest", "ukwest"),
    *("uaecentral", "brazilsoutheast", "austriaeast", "belgiumcentral", "chilecentral"),
    *("indonesiacentral", "malaysiawest", "eastus2euap", "centraluseuap"),
]


def normal(location: object, resource_type: str) -> str:
    """'East US' -> 'eastus'; ARM's refusal if there is no such region."""
    if not isinstance(location, str) or not location.strip():
        raise errors.location_required()
    name = location.replace(" ", "").lower()
    if name not in REGIONS:
        raise errors.location_not_available(location, resource_type, REGIONS)
    return name
