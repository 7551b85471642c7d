"""Which of many prices is that of a Linux machine, a disk, an address; and what is not known."""

from typing import Any

import pytest

from ipcluster_azure.plan.price_items import address_price, disk_prices, machine_prices
from ipcluster_azure.plan.prices import HOURS_A_MONTH, Prices, Rate, disk_step

SERIES = "Virtual Machines Dsv5 Series"


def _item(price: float, meter: str = "D4s v5", product: str = SERIES, **more: Any) -> Any:
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "armRegionName": "eastus",
        "effectiveStartDate": "2023-01-01T00:00:00Z",
        "meterName": meter,
        "productName": product,
        "skuName": meter,
        "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "Standard_D4s_v5",
        **more,
    }


RIGHT = [_item(3.0), _item(1.0, "D4s v5 Spot")]
FOREIGN = {
    "Windows": _item(9.0, product=f"{SERIES} Windows"),
    "Windows Spot": _item(9.0, "D4s v5 Spot", f"{SERIES} Windows"),
    "Low Priority": _item(9.0, "D4s v5 Low Priority"),
    "DevTest": _item(9.0, type="DevTestConsumption"),
    "a reservation": _item(9.0, type="Reservation", reservationTerm="1 Year"),
    "cloud services": _item(9.0, product="Dsv5 Series Cloud Services"),
    "older cloud services": _item(9.0, product="Dsv5 Series CloudServices"),
    "a host": _item(9.0, product="DSv5 Dedicated Host"),
    "an old meter": _item(9.0, "D4s v5 Expired"),
    "another unit": _item(9.0, unitOfMeasure="100 Hours"),
    "another currency": _item(9.0, currencyCode="EUR"),
    "a later tier": _item(9.0, tierMinimumUnits=500.0),
    "another service": _item(9.0, serviceName="Virtual Machines Licenses"),
    "a meter that is not the primary one": _item(9.0, isPrimaryMeterRegion=False),
    "an older price": _item(9.0, effectiveStartDate="2021-01-01T00:00:00Z"),
    "no number": _item("9"),  # type: ignore[arg-type]
    "nothing": _item(0.0),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_meters_of_a_size_are_told_apart(name: str) -> None:
    for items in ([FOREIGN[name], *RIGHT], [*RIGHT, FOREIGN[name]]):
        assert machine_prices(items) == {"standard_d4s_v5": {"Regular": 3.0, "Spot": 1.0}}


def test_of_two_prices_that_are_alike_the_higher_counts() -> None:
    assert machine_prices([_item(2.0), _item(3.0)]) == {"standard_d4s_v5": {"Regular": 3.0}}
    assert machine_prices([]) == {}


def _disk(meter: str, price: float, **more: Any) -> Any:
    product = "Standard SSD Managed Disks"
    about = {"serviceName": "Storage", "unitOfMeasure": "1/Month", "armSkuName": ""}
    return _item(price, meter, product, **{**about, **more})


def test_disks_with_one_copy_are_told_apart() -> None:
    items = [
        _disk("E4 LRS Disk", 2.4),
        _disk("E4 LRS Disk Mount", 9.0),
        _disk("E4 ZRS Disk", 9.0),
        _disk("LRS Disk Operations", 9.0, unitOfMeasure="10K"),
        _disk("P4 LRS Disk", 9.0, productName="Premium SSD Managed Disks"),
        _disk("E10 LRS Disk", 9.6),
    ]
    assert disk_prices(items) == {"E4": 2.4, "E10": 9.6}


def test_an_address() -> None:
    about = {"serviceName": "Virtual Network", "armSkuName": ""}
    standard = _item(0.005, "Standard IPv4 Static Public IP", "IP Addresses", **about)
    basic = _item(0.004, "Basic IPv4 Static Public IP", "IP Addresses", **about)
    assert address_price([basic, standard]) == 0.005
    assert address_price([basic]) is None


@pytest.mark.parametrize(
    ("gib", "step"),
    [(0, ""), (1, "E1"), (4, "E1"), (30, "E4"), (32, "E4"), (33, "E6"), (4095, "E50"), (9999, "")],
)
def test_the_step_by_which_a_disk_is_billed(gib: int, step: str) -> None:
    assert disk_step(gib) == step


def test_what_is_not_known_is_named_and_not_guessed() -> None:
    known = Prices({"standard_d4s_v5": {"Regular": 0.2}}, {"E4": 7.3}, 0.005)
    assert known.machine("Standard_D4s_v5", "Regular") == Rate(0.2)
    assert known.machine("Standard_D4s_v5", "Spot") == Rate(0.0, ("Standard_D4s_v5 (Spot)",))
    assert known.disk(30).usd == pytest.approx(7.3 / HOURS_A_MONTH)
    assert known.disk(64) == Rate(0.0, ("disk E6",))
    assert known.disk(0) == Rate(0.0, ("the disks",))
    assert known.public_address() == Rate(0.005)
    assert Prices().public_address() == Rate(0.0, ("the address",))


def test_rates_add_up() -> None:
    a, b = Rate(1.5, ("x",)), Rate(0.25, ("x", "y"))
    assert a + b == Rate(1.75, ("x", "y"))
    assert a.times(4) == Rate(6.0, ("x",))
    assert a.times(0) == Rate()
