"""What time it is by Azure: as its answers say, whatever this computer's clock does."""

import logging
from datetime import datetime, timedelta, timezone

import pytest
import requests

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.resource_manager import azure_time
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.resource_manager.azure_time import AzureClock, azure_now, clock_at

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)


def answer(date: str | None) -> requests.Response:
    response = requests.Response()
    if date is not None:
        response.headers["Date"] = date
    return response


def test_it_goes_on_from_the_last_date(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_s = 50.0
    monkeypatch.setattr(azure_time, "passed_s", lambda: passed_s)
    clock = AzureClock()
    clock.hear(answer("Sat, 21 Nov 2026 11:00:00 GMT"))
    clock.hear(answer("Sat, 21 Nov 2026 12:00:00 GMT"))
    for odd in (None, "", "soon", "Sat, 21 Nov 2026", "99999999999999999999", "\0"):
        clock.hear(answer(odd))
    assert clock.now() == NOON
    passed_s += 3600  # a laptop has slept
    assert clock.now() == NOON + timedelta(hours=1)


def test_without_any_date_the_computers_clock_counts_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        clock = AzureClock()
        now = [clock.now() for _ in range(3)][-1]
    assert abs((datetime.now(timezone.utc) - now).total_seconds()) < 60
    assert caplog.text.count("this computer's clock") == 1


def test_every_answer_is_heard(emulator: EmulatorInfo) -> None:
    endpoint = Endpoint(emulator.endpoint, emulator.endpoint, emulator.ca_file, emulator.token_file)
    clock_at(endpoint.url).hear(answer("Sat, 21 Nov 2020 12:00:00 GMT"))
    with AzureApi(endpoint, emulator.subscription_id) as api:
        assert not api.group_exists("no-such-group")
    assert abs((datetime.now(timezone.utc) - azure_now(endpoint)).total_seconds()) < 60
