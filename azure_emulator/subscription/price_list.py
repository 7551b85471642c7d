"""The emulator's own price list. Every figure in it is invented, and as round as could be.

A vCPU costs one cent an hour, a GPU a dollar, a GiB of disk ten cents a month, an address one cent
an hour; Spot costs a fifth. That is what tells them from Azure's, besides a word in every item.
What Azure's list has beside the prices of Linux machines, and who reads it must tell apart, is here
as well, dearer or cheaper: Windows, Low Priority, reservations, DevTest, cloud services, and meters
that are not the primary ones.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from ..base import regions, skus
from ..base.geography import REGIONS
from ..base.skus import Size

Json = dict[str, Any]
INVENTED = "Invented by the emulator: this is no price of Azure's."
VCPU_USD, GPU_USD, ADDRESS_USD = 0.01, 1.0, 0.01  # an hour
DISK_GIB_USD = 0.1  # a month
SPOT = 0.2
START = "2026-01-01T00:00:00Z"
DISK_GIB = {1: 4, 2: 8, 3: 16, 4: 32, 6: 64, 10: 128, 15: 256, 20: 512, 30: 1024, 40: 2048}
DISK_GIB |= {50: 4096, 60: 8192, 70: 16384, 80: 32767}
DISK_PRODUCTS = {
    "E": "Standard SSD Managed Disks",
    "P": "Premium SSD Managed Disks",
    "S": "Standard HDD Managed Disks",
}
HOUR, MONTH = "1 Hour", "1/Month"
MACHINES, STORAGE, NETWORK = "Virtual Machines", "Storage", "Virtual Network"
FAMILIES = {MACHINES: "Compute", STORAGE: "Storage", NETWORK: "Networking"}


def machine_usd(size: Size) -> float:
    """The invented price of an hour of a Linux machine."""
    return size.vcpus * VCPU_USD + skus.GPUS.get(size.name, 0) * GPU_USD


def items(pinned: Callable[[str], set[str] | None]) -> Iterator[Json]:
    """Yield at least the items that are wanted.

    `pinned` tells the values that a member of them may have at all, None if that is open: the whole
    list would take seconds.
    """

    def may_be(member: str, value: str) -> bool:
        values = pinned(member)
        return values is None or value in values

    for place in regions.REGIONS:
        if not may_be("armRegionName", place):
            continue
        if may_be("serviceName", MACHINES):
            for size in skus.SIZES.values():
                if may_be("armSkuName", size.name):
                    yield from _machines(place, size)
        if may_be("serviceName", STORAGE):
            yield from _disks(place)
        if may_be("serviceName", NETWORK):
            yield _address(place)


def _machines(place: str, size: Size) -> Iterator[Json]:
    usd, name = machine_usd(size), size.name.partition("_")[2].replace("_", " ")
    series = f"{re.sub(r'[0-9]+', '', name, count=1).replace(' ', '')} Series"
    linux = f"Virtual Machines {series}"

    def item(meter: str, product: str, price: float, **more: Any) -> Json:
        return _item(place, MACHINES, product, meter, price, arm=size.name, **more)

    yield item(name, linux, 3 * usd, isPrimaryMeterRegion=False)
    yield item(name, linux, usd / 2, type="DevTestConsumption")
    yield item(name, linux, usd / 2 * 8760, type="Reservation", reservationTerm="1 Year")
    yield item(f"{name} Low Priority", linux, usd / 2)
    yield item(f"{name} Spot", f"{linux} Windows", 2 * SPOT * usd)
    yield item(name, f"{linux} Windows", 2 * usd)
    yield item(name, f"{series} Cloud Services", usd / 2)
    yield item(f"{name} Spot", linux, SPOT * usd)
    yield item(name, linux, usd)


def _disks(place: str) -> Iterator[Json]:
    for letter, product in DISK_PRODUCTS.items():
        for number, gib in DISK_GIB.items():
            meter = f"{letter}{number} LRS Disk"
            usd = gib * DISK_GIB_USD
            yield _item(place, STORAGE, product, meter, usd, unit=MONTH)
            yield _item(place, STORAGE, product, f"{meter} Mount", usd / 2, unit=MONTH)
        yield _item(place, STORAGE, product, "Disk Operations", 0.01, unit="10K")


def _address(place: str) -> Json:
    meter = "Standard IPv4 Static Public IP"
    return _item(place, NETWORK, "IP Addresses", meter, ADDRESS_USD)


def _item(
    place: str,
    service: str,
    product: str,
    meter: str,
    usd: float,
    *,
    arm: str = "",
    unit: str = HOUR,
    **more: Any,
) -> Json:
    """Return an item as the interface shows it, in US dollars; `arm` is the size's name."""
    kind = more.get("type", "Consumption")
    identity = _identifier(place, product, meter, kind, str(more.get("isPrimaryMeterRegion", True)))
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": round(usd, 6),
        "unitPrice": round(usd, 6),
        "armRegionName": place,
        "location": REGIONS[place].shown,
        "effectiveStartDate": START,
        "meterId": identity,
        "meterName": meter,
        "productId": _identifier(product),
        "skuId": f"{_identifier(product)}/{identity[:4]}",
        "productName": product,
        "skuName": meter,
        "serviceName": service,
        "serviceId": _identifier(service),
        "serviceFamily": FAMILIES[service],
        "unitOfMeasure": unit,
        "type": kind,
        "isPrimaryMeterRegion": True,
        "armSkuName": arm,
        "emulated": INVENTED,
        **more,
    }


@functools.lru_cache(10_000)
def _identifier(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts)))
