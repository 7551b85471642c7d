"""The emulator's price list is asked as Azure's is: without a login, by filters, in pages."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from azure_emulator.client import EmulatorInfo
from azure_emulator.subscription import price_list

from ..cloud import Cloud

LINUX = (
    "armRegionName eq 'westeurope' and armSkuName eq 'Standard_D4s_v5' and "
    "serviceName eq 'Virtual Machines' and priceType eq 'Consumption'"
)


def _ask(info: EmulatorInfo, url: str = "", **query: str) -> tuple[int, Any]:
    """Status and body of a GET without any header of ours."""
    renamed = {"filter": "$filter", "skip": "$skip", "version": "api-version"}
    text = urlencode({renamed.get(name, name): value for name, value in query.items()})
    trust = ssl.create_default_context(cafile=info.ca_file)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )
    try:
        with opener.open(url or f"{info.endpoint}/api/retail/prices?{text}") as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def _items(arm: Cloud, filter: str, **query: str) -> list[Mapping[str, Any]]:
    status, body = _ask(arm.info, filter=filter, **query)
    assert status == 200, body
    items: list[Mapping[str, Any]] = body["Items"]
    assert len(items) == body["Count"]
    return items


def test_a_size_has_prices_of_many_kinds_and_each_says_that_it_is_invented(arm: Cloud) -> None:
    items = _items(arm, LINUX, version="2023-01-01-preview")
    assert {item["meterName"] for item in items} == {"D4s v5", "D4s v5 Spot", "D4s v5 Low Priority"}
    (windows, *_) = [item for item in items if "Windows" in item["productName"]]
    (clouds,) = [item for item in items if "Cloud Services" in item["productName"]]
    assert windows["retailPrice"] != clouds["retailPrice"]
    assert {item["armRegionName"] for item in items} == {"westeurope"}
    assert {item["emulated"] for item in items} == {price_list.INVENTED}
    for item in items:
        assert item["retailPrice"] == item["unitPrice"] > 0
        assert (item["currencyCode"], item["unitOfMeasure"]) == ("USD", "1 Hour")


def test_values_have_capitals_in_the_newer_version_alone(arm: Cloud) -> None:
    lower = LINUX.replace("Standard_D4s_v5", "standard_d4s_v5")
    assert not _items(arm, lower, version="2023-01-01-preview")
    assert _items(arm, lower, version="2021-10-01-preview")


def test_what_filters_can_say(arm: Cloud) -> None:
    either = f"{LINUX} and (meterName eq 'D4s v5 Spot' or contains(meterName, 'Low'))"
    found = {item["meterName"] for item in _items(arm, either)}
    assert found == {"D4s v5 Spot", "D4s v5 Low Priority"}
    without = f"{LINUX} and contains(meterName,'Low') ne true and productName ne 'x'"
    assert {item["meterName"] for item in _items(arm, without)} == {"D4s v5", "D4s v5 Spot"}
    # of which others report that it finds nothing, as it is no member of the filter
    assert not _items(arm, f"{LINUX} and currencyCode eq 'EUR'")


@pytest.mark.parametrize(
    "filter",
    [
        "not(contains(productName,'Windows'))",
        "a eq",
        "a eq b",
        "(a eq 'b'",
        "a eq 'b' c",
        "a gt 'b'",
    ],
)
def test_a_filter_that_it_does_not_take(arm: Cloud, filter: str) -> None:
    status, body = _ask(arm.info, filter=filter)
    assert (status, body["Error"]["Code"]) == (400, "BadRequest")


def test_primary_meters_and_currencies_are_parameters(arm: Cloud) -> None:
    primary = _items(arm, LINUX, meterRegion="'primary'")
    assert len(primary) < len(_items(arm, LINUX))
    assert all(item["isPrimaryMeterRegion"] for item in primary)
    euros = _items(arm, LINUX, meterRegion="'primary'", currencyCode="'EUR'")
    for before, after in zip(primary, euros, strict=True):
        assert after["currencyCode"] == "EUR"
        assert after["retailPrice"] == pytest.approx(before["retailPrice"] / 2)
    assert _ask(arm.info, currencyCode="XYZ")[0] == 400


def test_a_long_list_comes_in_pages(arm: Cloud) -> None:
    status, body = _ask(arm.info, filter="armRegionName eq 'eastus'", meterRegion="'primary'")
    first, found = body["Items"], 0
    while True:
        assert status == 200
        found += len(body["Items"])
        if body["NextPageLink"] is None:
            break
        assert len(body["Items"]) == 1000
        status, body = _ask(arm.info, url=body["NextPageLink"])
        assert body["Items"][0] != first[0]
        assert {item["armRegionName"] for item in body["Items"]} == {"eastus"}
    assert found > 1000


def test_disks_and_addresses(arm: Cloud) -> None:
    disks = _items(
        arm,
        "armRegionName eq 'eastus' and serviceName eq 'Storage' and "
        "productName eq 'Standard SSD Managed Disks' and priceType eq 'Consumption'",
    )
    by_meter = {item["meterName"]: item for item in disks}
    assert by_meter["E10 LRS Disk"]["unitOfMeasure"] == "1/Month"
    assert by_meter["E10 LRS Disk"]["retailPrice"] == pytest.approx(12.8)
    (address,) = _items(
        arm,
        "armRegionName eq 'eastus' and serviceName eq 'Virtual Network' and "
        "meterName eq 'Standard IPv4 Static Public IP'",
    )
    assert address["productName"] == "IP Addresses"
