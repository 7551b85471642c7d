"""Prices are asked for once a day and in short time; a table helps where nobody may ask."""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan.prices import Prices
from ipcluster_azure.resource_manager import prices, retail_prices
from ipcluster_azure.resource_manager.prices import known_prices
from ipcluster_azure.resource_manager.retail_prices import PATH, PriceList, price_list
from ipcluster_azure.settings.values import PUBLIC_CLOUD

SIZE = "Standard_D4s_v5"
PUBLIC = Endpoint(PUBLIC_CLOUD, PUBLIC_CLOUD)
D4 = {"standard_d4s_v5": {"Regular": 0.04, "Spot": 0.008}}


class Public:
    """What stands for prices.azure.com: `url` may be changed; `asked`: the filters so far."""

    def __init__(self, url: str, cache: Path) -> None:
        self.url, self.asked = url, list[str]()
        self.timeout_s = 60.0
        self.file = cache / "ipcluster-azure" / "prices-eastus.json"
        self.whole = PriceList.items

    def list_of(self, endpoint: Endpoint) -> PriceList:
        return PriceList("prices.example", self.url, "", self.timeout_s)

    def items(self, where: PriceList, filter_: str, **more: int) -> Any:
        self.asked.append(filter_)
        return self.whole(where, filter_, **more)

    def age(self, seconds: float) -> None:
        """Make all that is kept so much older."""
        kept = json.loads(self.file.read_text())
        older = {key: [value, asked_s - seconds] for key, (value, asked_s) in kept.items()}
        self.file.write_text(json.dumps(older))


@pytest.fixture
def public(emulator: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Public:
    """The emulator's list at the public one's place, and folders of the user's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", emulator.ca_file)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    stand_in = Public(f"{emulator.endpoint}{PATH}", tmp_path / "cache")
    monkeypatch.setattr(prices, "price_list", stand_in.list_of)
    monkeypatch.setattr(PriceList, "items", lambda *args, **more: stand_in.items(*args, **more))
    return stand_in


def test_who_has_a_list_of_prices() -> None:
    public = price_list(PUBLIC)
    assert public is not None
    assert public.url == "https://prices.azure.com/api/retail/prices"
    government = Endpoint("https://management.usgovcloudapi.net", "x")
    assert price_list(government) is None
    unknown = known_prices(government, "usgovvirginia", [SIZE])
    assert unknown == Prices(problem="https://management.usgovcloudapi.net has no public list of "
                             "prices")  # fmt: skip


def test_the_emulator_tells_its_own_prices_and_they_are_not_kept(
    emulator: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = Endpoint(emulator.endpoint, emulator.endpoint, emulator.ca_file)
    found = known_prices(here, "eastus", [SIZE])
    assert (found.machines, found.address) == (D4, 0.01)
    assert found.disks["E4"] == pytest.approx(3.2)
    assert (found.source, found.problem) == ("invented by the emulator", "")
    assert not list(tmp_path.iterdir())


def test_prices_are_asked_for_once_a_day(public: Public) -> None:
    first = known_prices(PUBLIC, "eastus", [SIZE])
    assert first.machines == D4
    assert first.source == f"prices.example, {time.strftime('%Y-%m-%d')}"
    assert len(public.asked) == 3
    assert known_prices(PUBLIC, "eastus", [SIZE]) == first
    assert len(public.asked) == 3
    both = known_prices(PUBLIC, "eastus", [SIZE, "Standard_NC6s_v3"])
    assert both.machines["standard_nc6s_v3"]["Regular"] == pytest.approx(1.06)
    (*_, last) = public.asked  # for what was not known yet alone
    assert len(public.asked) == 4
    assert SIZE not in last
    public.age(25 * 3600)
    known_prices(PUBLIC, "eastus", [SIZE])
    assert len(public.asked) == 7
    public.file.write_text("{ damaged")
    assert known_prices(PUBLIC, "eastus", [SIZE]).machines == D4


def test_a_size_without_a_price_is_not_asked_for_again_either(public: Public) -> None:
    for _ in range(2):
        found = known_prices(PUBLIC, "eastus", ["Standard_None"])
        assert found.machine("Standard_None", "Regular").unknown == ("Standard_None",)
        assert found.problem == ""
    assert len(public.asked) == 3


def test_who_does_not_answer_is_not_waited_for_twice(
    public: Public,
) -> None:
    answering, public.timeout_s = public.url, 1.0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        public.url = f"https://127.0.0.1:{silent.getsockname()[1]}{PATH}"
        for _ in range(2):
            found = known_prices(PUBLIC, "eastus", [SIZE])
            assert not found.machines
            assert "prices.example did not answer within" in found.problem
        assert len(public.asked) <= 1  # this computer may be too busy to ask at all
    public.url, public.timeout_s = answering, 60.0
    public.age(11 * 60)
    assert known_prices(PUBLIC, "eastus", [SIZE]).machines == D4


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/nowhere", "answered with HTTP status 4"), ("", "can't be reached")],
)
def test_what_is_wrong_is_said_in_a_few_words(public: Public, path: str, problem: str) -> None:
    port = "1" if not path else public.url.split(":")[2].split("/")[0]
    public.url = f"https://127.0.0.1:{port}{path}"
    found = known_prices(PUBLIC, "eastus", [SIZE])
    assert found.problem.startswith(f"prices.example {problem}")
    assert len(found.problem) < 80


def test_a_table_says_what_nobody_may_ask_for(
    public: Public, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = {"machines": D4, "disks": {"E4": 1.5}, "address": 0.25}
    table = {"format": 1, "asked": "2026-11-30", "currency": "USD", "regions": {"eastus": region}}
    file = tmp_path / "data" / "ipcluster-azure" / "retail_prices.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(table))
    public.url = "https://127.0.0.1:1/"
    found = known_prices(PUBLIC, "eastus", [SIZE])
    assert (found.machines, found.disks, found.address) == (D4, {"E4": 1.5}, 0.25)
    assert found.source == "a table of 2026-11-30"
    assert not known_prices(PUBLIC, "westeurope", [SIZE]).machines
    for damaged in ("{", '{"format": 2}', json.dumps({**table, "currency": "EUR"})):
        file.write_text(damaged)
        assert not known_prices(PUBLIC, "eastus", [SIZE]).machines


def test_no_page_of_another_host_is_read(emulator: EmulatorInfo) -> None:
    class Page:
        def raise_for_status(self) -> None:
            pass

        def json(self) -> Any:
            return {"Items": [], "NextPageLink": "https://elsewhere.example/api/retail/prices"}

    patch = pytest.MonkeyPatch()
    patch.setattr(retail_prices.requests.Session, "get", lambda *_, **__: Page())
    with patch.context(), pytest.raises(ValueError, match=r"another host, https://elsewhere"):
        PriceList("x", f"{emulator.endpoint}{PATH}", emulator.ca_file).items("")
    patch.undo()


def test_all_pages_are_read(emulator: EmulatorInfo) -> None:
    where = PriceList("x", f"{emulator.endpoint}{PATH}", emulator.ca_file)
    found = where.items("armRegionName eq 'eastus' and contains(productName, 'D')")
    assert len(found) > 1000
    assert len({item["meterId"] for item in found}) == len(found)


def test_what_has_too_many_pages_is_no_half_answer(emulator: EmulatorInfo) -> None:
    where = PriceList("x", f"{emulator.endpoint}{PATH}", emulator.ca_file)
    with pytest.raises(ValueError, match="more than 1 pages"):
        where.items("armRegionName eq 'eastus'", most_pages=1)


def test_what_is_kept_is_the_users_alone(public: Public) -> None:
    known_prices(PUBLIC, "eastus", [SIZE])
    assert os.stat(public.file).st_mode & 0o777 == 0o600
