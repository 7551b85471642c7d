import json
import os
import time
from pathlib import Path

import pytest

from ipcluster_azure.azure_api import SizeOffer, _offer
from ipcluster_azure.errors import CapacityUnavailable, ConfigurationError
from ipcluster_azure.plan import VmSize
from ipcluster_azure.preflight import _cached, pick_size

from .plans import settings

OFFERS = {
    "standard_d4s_v5": SizeOffer(4),
    "standard_d8s_v5": SizeOffer(8),
    "standard_nc6": SizeOffer(6, "NotAvailableForSubscription"),
}


def _pick(*names: str) -> VmSize:
    return pick_size(settings(vm_size=names), OFFERS)


def test_the_first_size_that_may_be_used() -> None:
    assert _pick("Standard_NC6", "Standard_D8s_v5") == VmSize("Standard_D8s_v5", 8)
    assert _pick("STANDARD_D4S_V5") == VmSize("STANDARD_D4S_V5", 4)


def test_an_unknown_size_is_a_mistake_wherever_it_stands() -> None:
    with pytest.raises(ConfigurationError, match="did you mean standard_d4s_v5"):
        _pick("Standard_D4s_v55")


def test_no_size_that_may_be_used() -> None:
    with pytest.raises(CapacityUnavailable, match="NotAvailableForSubscription"):
        _pick("Standard_NC6")


def test_what_azure_says_of_a_size() -> None:
    sku = {
        "name": "Standard_D4s_v5",
        "capabilities": [{"name": "vCPUs", "value": "4"}, {"name": "MemoryGB", "value": "16"}],
        "restrictions": [],
    }
    assert _offer(sku) == SizeOffer(4)
    # constrained-core sizes have fewer than the machine that is paid for
    sku["capabilities"].append({"name": "vCPUsAvailable", "value": "2"})  # type: ignore[attr-defined]
    assert _offer(sku).vcpus == 2
    zone = {"type": "Zone", "reasonCode": "NotAvailableForSubscription"}
    assert _offer({**sku, "restrictions": [zone]}).refused == ""
    assert _offer({**sku, "restrictions": [{**zone, "type": "Location"}]}).refused


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
