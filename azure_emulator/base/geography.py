"""Where Azure's public regions are, as the list of locations shows them (documented)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Region:
    """One region. shown: its display name; geography: its group; pair: "" if it has none."""

    shown: str
    geography: str
    latitude: float
    longitude: float
    place: str
    pair: str
    zones: bool


def _region(row: str) -> tuple[str, Region]:
    name, shown, geography, latitude, longitude, place, pair, zones = row.split("|")
    return name, Region(
        shown, geography, float(latitude), float(longitude), place, pair, zones == "zones"
    )


_ROWS = """
eastus|East US|US|37.37|-79.82|Virginia|westus|zones
eastus2|East US 2|US|36.67|-78.39|Virginia|centralus|zones
southcentralus|South Central US|US|29.42|-98.5|Texas|northcentralus|zones
westus2|West US 2|US|47.23|-119.85|Washington|westcentralus|zones
westus3|West US 3|US|33.45|-112.07|Phoenix|eastus|zones
centralus|Central US|US|41.59|-93.62|Iowa|eastus2|zones
northcentralus|North Central US|US|41.88|-87.63|Illinois|southcentralus|
westus|West US|US|37.78|-122.42|California|eastus|
westcentralus|West Central US|US|40.89|-110.23|Wyoming|westus2|
eastus2euap|East US 2 EUAP|US|36.67|-78.39||centraluseuap|zones
centraluseuap|Central US EUAP|US|41.59|-93.62||eastus2euap|
canadacentral|Canada Central|Canada|43.65|-79.38|Toronto|canadaeast|zones
canadaeast|Canada East|Canada|46.82|-71.22|Quebec|canadacentral|
mexicocentral|Mexico Central|Mexico|20.59|-100.39|Querétaro State||zones
brazilsouth|Brazil South|South America|-23.55|-46.63|Sao Paulo State|southcentralus|zones
brazilsoutheast|Brazil Southeast|South America|-22.91|-43.21|Rio|brazilsouth|
chilecentral|Chile Central|South America|-33.45|-70.67|Santiago||zones
northeurope|North Europe|Europe|53.35|-6.26|Ireland|westeurope|zones
westeurope|West Europe|Europe|52.37|4.9|Netherlands|northeurope|zones
uksouth|UK South|UK|50.94|-0.8|London|ukwest|zones
ukwest|UK West|UK|53.43|-3.08|Cardiff|uksouth|
swedencentral|Sweden Central|Europe|60.67|17.14|Gävle||zones
francecentral|France Central|Europe|46.38|2.37|Paris|francesouth|zones
francesouth|France South|Europe|43.83|2.2|Marseille|francecentral|
germanywestcentral|Germany West Central|Europe|50.11|8.68|Frankfurt|germanynorth|zones
germanynorth|Germany North|Europe|53.07|8.81|Berlin|germanywestcentral|
italynorth|Italy North|Europe|45.47|9.18|Milan||zones
norwayeast|Norway East|Europe|59.91|10.75|Norway|norwaywest|zones
norwaywest|Norway West|Europe|58.97|5.73|Norway|norwayeast|
polandcentral|Poland Central|Europe|52.23|21.02|Warsaw||zones
spaincentral|Spain Central|Europe|40.42|-3.7|Madrid||zones
switzerlandnorth|Switzerland North|Europe|47.45|8.56|Zurich|switzerlandwest|zones
switzerlandwest|Switzerland West|Europe|46.2|6.14|Geneva|switzerlandnorth|
austriaeast|Austria East|Europe|48.21|16.36|Vienna||zones
belgiumcentral|Belgium Central|Europe|50.85|4.35|Brussels||zones
southeastasia|Southeast Asia|Asia Pacific|1.28|103.83|Singapore|eastasia|zones
eastasia|East Asia|Asia Pacific|22.27|114.19|Hong Kong|southeastasia|zones
australiaeast|Australia East|Asia Pacific|-33.86|151.21|New South Wales|australiasoutheast|zones
australiasoutheast|Australia Southeast|Asia Pacific|-37.81|144.96|Victoria|australiaeast|
australiacentral|Australia Central|Asia Pacific|-35.31|149.12|Canberra|australiacentral2|
australiacentral2|Australia Central 2|Asia Pacific|-35.31|149.12|Canberra|australiacentral|
newzealandnorth|New Zealand North|Asia Pacific|-36.85|174.76|Auckland||zones
japaneast|Japan East|Asia Pacific|35.68|139.77|Tokyo, Saitama|japanwest|zones
japanwest|Japan West|Asia Pacific|34.69|135.5|Osaka|japaneast|zones
koreacentral|Korea Central|Asia Pacific|37.57|126.98|Seoul|koreasouth|zones
koreasouth|Korea South|Asia Pacific|35.18|129.08|Busan|koreacentral|
centralindia|Central India|Asia Pacific|18.58|73.92|Pune|southindia|zones
southindia|South India|Asia Pacific|12.98|80.16|Chennai|centralindia|
westindia|West India|Asia Pacific|19.09|72.87|Mumbai|southindia|
indonesiacentral|Indonesia Central|Asia Pacific|-6.21|106.85|Jakarta||zones
malaysiawest|Malaysia West|Asia Pacific|3.14|101.69|Kuala Lumpur||zones
uaenorth|UAE North|Middle East|25.27|55.32|Dubai|uaecentral|zones
uaecentral|UAE Central|Middle East|24.47|54.37|Abu Dhabi|uaenorth|
qatarcentral|Qatar Central|Middle East|25.55|51.44|Doha||zones
israelcentral|Israel Central|Middle East|31.27|33.45|Israel||zones
southafricanorth|South Africa North|Africa|-25.73|28.22|Johannesburg|southafricawest|zones
southafricawest|South Africa West|Africa|-34.08|18.84|Cape Town|southafricanorth|
"""
REGIONS = dict(_region(row) for row in _ROWS.strip().splitlines())


def show(name: str, base: str) -> Json:
    """Return a region as a member of the list of locations; base: the path of that list."""
    region = REGIONS[name]
    longitude, latitude = str(region.longitude), str(region.latitude)
    pairs = [{"name": region.pair, "id": f"{base}/{region.pair}"}] if region.pair else []
    return {
        "id": f"{base}/{name}",
        "name": name,
        "type": "Region",
        "displayName": region.shown,
        "longitude": longitude,
        "latitude": latitude,
        "regionalDisplayName": f"({region.geography}) {region.shown}",
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended" if region.zones else "Other",
            "geographyGroup": region.geography,
            "longitude": longitude,
            "latitude": latitude,
            "physicalLocation": region.place,
            "pairedRegion": pairs,
        },
    }
