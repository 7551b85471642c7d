"""Which VM sizes are tried, and what quotas leave."""

import json
import os
import time
from pathlib import Path

import pytest

from ipcluster_azure.errors import CapacityUnavailable, ConfigurationError, QuotaExceeded
from ipcluster_azure.plan.quota import Usage
from ipcluster_azure.plan.vm_sizes import SizeOffer, VmSize
from ipcluster_azure.start.sizes import (
    Market,
    _cached,
    controller_sizes,
    engine_sizes,
    offer_of,
    usable,
)

from ..plans import settings

D_FAMILY, D2_FAMILY = "standardDSv5Family", "standardDDSv5Family"
OFFERS = {
    "standard_d4s_v5": SizeOffer(4, family=D_FAMILY, zones=("1", "3")),
    "standard_d8ds_v5": SizeOffer(8, family=D2_FAMILY, zones=("1", "2")),
    "standard_nc6": SizeOffer(6, "NotAvailableForSubscription"),
}


def _names(*names: str, zones: tuple[str, ...] = ()) -> list[str]:
    return [str(size) for size in usable(settings(vm_size=names, zones=zones), OFFERS)]


def test_sizes_that_may_be_used_in_the_order_of_the_setting() -> None:
    assert _names("Standard_NC6", "STANDARD_D8ds_v5", "Standard_D4s_v5") == [
        "STANDARD_D8ds_v5",
        "Standard_D4s_v5",
    ]
    (found,) = usable(settings(vm_size=("Standard_D4s_v5",)), OFFERS)
    assert found == VmSize("Standard_D4s_v5", 4, D_FAMILY)


def test_all_sizes_in_one_zone_come_before_the_next_zone() -> None:
    found = _names("Standard_D4s_v5", "Standard_D8ds_v5", zones=("1", "2", "3"))
    assert found == [
        "Standard_D4s_v5 in zone 1",
        "Standard_D8ds_v5 in zone 1",
        "Standard_D8ds_v5 in zone 2",
        "Standard_D4s_v5 in zone 3",
    ]


def test_an_unknown_size_is_a_mistake_wherever_it_stands() -> None:
    with pytest.raises(ConfigurationError, match=r"eastus\. Did you mean standard_d4s_v5\? "):
        _names("Standard_D4s_v5", "Standard_D4s_v55")


def test_no_size_that_may_be_used() -> None:
    with pytest.raises(CapacityUnavailable, match="NotAvailableForSubscription"):
        _names("Standard_NC6")
    with pytest.raises(CapacityUnavailable, match="Standard_D4s_v5: not in zone 2"):
        _names("Standard_D4s_v5", zones=("2",))


def _market(**limits: int) -> Market:
    """Quotas of which 3 are in use each."""
    names = {"cores": 100, "lowPriorityCores": 100, D_FAMILY: 100, D2_FAMILY: 100, **limits}
    return Market(OFFERS, {name.lower(): Usage(name, limit, 3) for name, limit in names.items()})


BOTH = settings(vm_size=("Standard_D4s_v5", "Standard_D8ds_v5"))


def test_the_quota_counts_whole_machines_and_the_controller() -> None:
    controller = VmSize("Standard_D4s_v5", 4, D_FAMILY)
    one = settings(vm_size=("Standard_D4s_v5",))
    # 9 engines need three machines of 4 vCPUs; with the controller 16, and 3 are in use
    assert engine_sizes(one, _market(**{D_FAMILY: 19}), 9, controller)
    with pytest.raises(
        QuotaExceeded, match=r"3 x Standard_D4s_v5 and 1 x .* need 16 vCPUs"
    ) as caught:
        engine_sizes(one, _market(**{D_FAMILY: 18}), 9, controller)
    for part in (D_FAMILY, "eastus", "3 of 18 are in use", "at least 19", "https://portal"):
        assert part in str(caught.value)
    assert engine_sizes(one, _market(**{D_FAMILY: 18}), 9, None)
    with pytest.raises(QuotaExceeded, match="cores"):
        engine_sizes(one, _market(cores=18), 9, controller)


def test_a_size_without_quota_is_passed_over() -> None:
    found = engine_sizes(BOTH, _market(**{D_FAMILY: 4}), 9, None)
    assert [size.name for size in found] == ["Standard_D8ds_v5"]
    assert [size.name for size in controller_sizes(BOTH, _market(**{D_FAMILY: 4}))] == [
        "Standard_D8ds_v5"
    ]


def test_spot_machines_have_a_quota_of_their_own() -> None:
    spot = settings(vm_size=("Standard_D4s_v5",), priority="Spot")
    assert engine_sizes(spot, _market(cores=3, **{D_FAMILY: 3}), 9, None)
    with pytest.raises(QuotaExceeded, match="lowPriorityCores"):
        engine_sizes(spot, _market(lowPriorityCores=14), 9, None)


def test_what_azure_says_of_a_size() -> None:
    sku = {
        "name": "Standard_D4s_v5",
        "family": D_FAMILY,
        "capabilities": [{"name": "vCPUs", "value": "4"}, {"name": "MemoryGB", "value": "16"}],
        "locationInfo": [{"location": "eastus", "zones": ["3", "1", "2"]}],
        "restrictions": [],
    }
    assert offer_of(sku) == SizeOffer(4, "", D_FAMILY, ("1", "2", "3"), "Standard_D4s_v5")
    arm = {**sku, "capabilities": [{"name": "CpuArchitectureType", "value": "Arm64"}]}
    assert offer_of(arm).architecture == "Arm64"
    # constrained-core sizes have fewer than the machine that is paid for
    sku["capabilities"].append({"name": "vCPUsAvailable", "value": "2"})  # type: ignore[attr-defined]
    assert offer_of(sku).vcpus == 2
    for text, gpus in {"4": 4, "0": 0, "0.167": 1, "": 0, "inf": 0}.items():
        graphic = {**sku, "capabilities": [{"name": "GPUs", "value": text}]}
        assert offer_of(graphic).gpus == gpus
    closed = {"type": "Zone", "reasonCode": "x", "restrictionInfo": {"zones": ["2"]}}
    assert offer_of({**sku, "restrictions": [closed]}).refused == ""
    assert offer_of({**sku, "restrictions": [closed]}).zones == ("1", "3")
    assert offer_of({**sku, "restrictions": [{**closed, "type": "Location"}]}).refused == "x"


def test_sizes_are_asked_for_once_a_day(tmp_path: Path) -> None:
    cache = tmp_path / "sizes.json"
    asked = []

    def fetch(location: str) -> dict[str, SizeOffer]:
        asked.append(location)
        return OFFERS

    assert _cached(cache, fetch, "eastus") == OFFERS
    assert _cached(cache, fetch, "eastus") == OFFERS
    assert asked == ["eastus"]
    yesterday = time.time() - 90_000
    os.utime(cache, (yesterday, yesterday))
    assert _cached(cache, fetch, "eastus") == OFFERS
    assert asked == ["eastus"] * 2
    cache.write_text(json.dumps({"x": {"odd": 1}}))
    assert _cached(cache, fetch, "eastus") == OFFERS
    assert asked == ["eastus"] * 3
    older = {name: {"vcpus": 4, "zones": []} for name in OFFERS}  # without what is compared now
    cache.write_text(json.dumps(older))
    assert _cached(cache, fetch, "eastus") == OFFERS
    assert asked == ["eastus"] * 4


def test_what_is_refused_names_the_location_of_the_settings() -> None:
    west = settings(location="westeurope", vm_size=("Standard_D4s_v5",), engines_per_vm=1)
    with pytest.raises(QuotaExceeded, match=r"in westeurope is too small: 9 x Standard_D4s_v5"):
        engine_sizes(west, _market(cores=38), 9, None)  # a machine for each engine
    with pytest.raises(ConfigurationError, match="No VM size at all is offered in westeurope"):
        usable(west, {})
    with pytest.raises(CapacityUnavailable, match="can be used in westeurope"):
        usable(west, {"standard_d4s_v5": SizeOffer(4, "NotAvailableForSubscription")})


def test_engines_are_counted_by_gpus_where_a_size_has_some() -> None:
    market = Market({"standard_nc12": SizeOffer(12, name="Standard_NC12", gpus=2)}, {})
    for given, on_each in ((0, 2), (3, 3)):
        two = settings(vm_size=("Standard_NC12",), engines_per_vm=given)
        (size,) = engine_sizes(two, market, 6, None)
        assert size.engines(given) == on_each
    # 6 engines need three machines, of 36 vCPUs
    few = Market(market.offers, {"cores": Usage("cores", 35, 0)})
    with pytest.raises(QuotaExceeded, match="3 x Standard_NC12 need 36 vCPUs"):
        engine_sizes(settings(vm_size=("Standard_NC12",)), few, 6, None)
