"""Items of Azure's retail prices -> the prices of Linux machines, OS disks and addresses. Pure.

A size has many meters, which differ only in texts: an hour of Windows, Low Priority (the forerunner
of Spot), DevTest, a whole reservation, classic cloud services. None of these is what a Linux
machine costs. Azure bills by the primary meter of a region, where there are several.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from .prices import REGULAR, SPOT

Item = Mapping[str, Any]
CURRENCY, HOUR, MONTH = "USD", "1 Hour", "1/Month"
MACHINES, STORAGE, NETWORK = "Virtual Machines", "Storage", "Virtual Network"
DISK_PRODUCT = "Standard SSD Managed Disks"  # of arm_template.py's OS disks
ADDRESS_METER = "Standard IPv4 Static Public IP"
FOREIGN_PRODUCTS = ("Windows", "Cloud Services", "CloudServices", "Dedicated Host")
FOREIGN_METERS = ("Low Priority", "Expired")


def machine_prices(items: Iterable[Item]) -> dict[str, dict[str, float]]:
    """US dollars an hour of Linux machines by size, in lower case, and priority."""
    found: dict[str, dict[str, list[Item]]] = {}
    for item in items:
        product, meter = str(item.get("productName")), str(item.get("meterName"))
        texts = f"{meter} {item.get('skuName')}"
        if (
            _is_billed(item, MACHINES, HOUR)
            and not any(word in product for word in FOREIGN_PRODUCTS)
            and not any(word in texts for word in FOREIGN_METERS)
        ):
            priority = SPOT if "Spot" in texts else REGULAR
            size = str(item.get("armSkuName")).lower()
            found.setdefault(size, {}).setdefault(priority, []).append(item)
    return {
        size: {priority: _price(chosen) for priority, chosen in kinds.items()}
        for size, kinds in found.items()
    }


def disk_prices(items: Iterable[Item]) -> dict[str, float]:
    """US dollars a month of disks with one copy in one place (LRS), by step, such as "E4"."""
    found: dict[str, list[Item]] = {}
    for item in items:
        step, _, rest = str(item.get("meterName")).partition(" ")
        if (
            _is_billed(item, STORAGE, MONTH)
            and item.get("productName") == DISK_PRODUCT
            and rest == "LRS Disk"
        ):
            found.setdefault(step, []).append(item)
    return {step: _price(chosen) for step, chosen in found.items()}


def address_price(items: Iterable[Item]) -> float | None:
    """US dollars an hour of a public address; None if there is no price of one."""
    found = [
        item
        for item in items
        if _is_billed(item, NETWORK, HOUR) and item.get("meterName") == ADDRESS_METER
    ]
    return _price(found) if found else None


def _is_billed(item: Item, service: str, unit: str) -> bool:
    """Whether this is a price of what is used, from its first unit on."""
    price = item.get("retailPrice")
    return (
        item.get("type") == "Consumption"
        and item.get("serviceName") == service
        and item.get("unitOfMeasure") == unit
        and item.get("currencyCode") == CURRENCY
        and not item.get("tierMinimumUnits")
        and isinstance(price, int | float)
        and not isinstance(price, bool)
        and price > 0
    )


def _price(items: Iterable[Item]) -> float:
    """The price by the primary meter, and the newest; of several that are alike the highest."""

    def rank(item: Item) -> tuple[bool, str, float]:
        newest = str(item.get("effectiveStartDate"))
        return bool(item.get("isPrimaryMeterRegion")), newest, float(item["retailPrice"])

    return float(max(items, key=rank)["retailPrice"])
