"""An emulator without machines for the tests of deletion, and visits that are only noted."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.stop import engine_set, teardown

from .made_clusters import (
    endpoint_of,
)


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorInfo]:
    directory = tmp_path_factory.mktemp("emulator")
    yield client.start(directory, machines="none", seed=1)
    client.stop(directory)


@pytest.fixture
def api(info: EmulatorInfo) -> Iterator[AzureApi]:
    with AzureApi(endpoint_of(info), info.subscription_id) as api:
        yield api
    client.withdraw_faults(info)
    client.reset(info.state_dir)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


@pytest.fixture(autouse=True)
def visits(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would be asked of machines, which aren't there; the first answer is that it worked."""
    asked: list[dict[str, Any]] = []

    def note(file: RecordFile, **options: Any) -> bool:
        asked.append(options)
        return len(asked) == 1

    for module in (teardown, engine_set):
        monkeypatch.setattr(module, "visit_machines", note)
    return asked
