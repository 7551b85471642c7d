"""An endpoint that does not answer, in whatever way, keeps nobody longer than a call may take."""

import gc
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import EndpointUnreachable, RequestRefused
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.plan.resource_types import NETWORK_API, VIRTUAL_NETWORK
from ipcluster_azure.resource_ids import group_scope, resource_id
from ipcluster_azure.resource_manager import patience
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.resource_manager.login import session_for
from tests.complete import variant

from .silent_servers import Answer, asks_for_pauses, says_nothing, server, stalls, trickles

NETWORK = resource_id(group_scope("s", "group"), VIRTUAL_NETWORK, "network")
PUT = ResourceRequest(VIRTUAL_NETWORK, "network", NETWORK, NETWORK_API, (), {"location": "eastus"})
# a connection that an attempt gave up in the middle is closed when it is collected
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
BUSY_S = 10.0  # what a computer with much to do may add


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(patience, "CALL_S", 2.0)
    monkeypatch.setattr(patience, "READ_S", 0.8)
    monkeypatch.setattr(patience, "AFTER_SILENCE_S", 0.5)
    yield
    gc.collect()


def _list(endpoint: Endpoint) -> None:
    with AzureApi(endpoint, "s") as api:
        api.listed("resources", "2021-04-01", doing="listing")


def _put(endpoint: Endpoint) -> None:
    with AzureApi(endpoint, "s") as api:
        api.put(PUT)


def _delete(endpoint: Endpoint) -> None:
    with AzureApi(endpoint, "s") as api:
        api.delete_group("group")


@pytest.mark.parametrize(
    ("answer", "ask"),
    [
        (says_nothing, _list),
        (stalls, _put),
        (trickles, _delete),
        pytest.param(says_nothing, _put, marks=variant),
        pytest.param(says_nothing, _delete, marks=variant),
        pytest.param(stalls, _list, marks=variant),
        pytest.param(stalls, _delete, marks=variant),
        pytest.param(trickles, _list, marks=variant),
        pytest.param(trickles, _put, marks=variant),
    ],
)
def test_a_call_has_one_limit_with_all_its_attempts(
    tmp_path: Path, answer: Answer, ask: "type[_list]"
) -> None:
    with server(tmp_path, answer) as silent:
        began = time.monotonic()
        with pytest.raises(EndpointUnreachable, match=r"does not answer while .* within 2 s"):
            ask(silent.endpoint)
        took_s = time.monotonic() - began
        assert 1.5 < took_s < 2 + BUSY_S
        # the next one needn't find that out once more
        with pytest.raises(EndpointUnreachable, match="within 0 s"):
            ask(silent.endpoint)
        assert time.monotonic() - began < took_s + 0.5 + BUSY_S


def test_without_even_a_handshake(tmp_path: Path) -> None:
    with server(tmp_path, says_nothing) as silent:
        known = silent.endpoint
        with socket.create_server(("127.0.0.1", 0)) as mute:  # its backlog accepts
            url = f"https://127.0.0.1:{mute.getsockname()[1]}"
            with pytest.raises(EndpointUnreachable, match="does not answer"):
                _put(elsewhere := Endpoint(url, url, known.ca_file, known.token_file))
            session_for(elsewhere).close()


def test_a_connection_that_is_dead_is_not_all_a_call_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a firewall has dropped it: the second attempt is answered."""
    monkeypatch.setattr(patience, "CALL_S", 20.0)
    first = [says_nothing]
    well = asks_for_pauses()
    with server(tmp_path, lambda connection: (first.pop() if first else well)(connection)) as odd:
        _list(odd.endpoint)
    assert odd.asked == 2


def test_a_good_answer_ends_the_suspicion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, well = [says_nothing], asks_for_pauses()
    with server(tmp_path, lambda connection: answers[0](connection)) as odd:
        with pytest.raises(EndpointUnreachable, match="within 2 s"):
            _list(odd.endpoint)
        monkeypatch.setattr(patience, "AFTER_SILENCE_S", 20.0)
        monkeypatch.setattr(patience, "READ_S", 20.0)
        answers[0] = well
        _list(odd.endpoint)
        answers[0] = says_nothing
        monkeypatch.setattr(patience, "READ_S", 0.8)
        with pytest.raises(EndpointUnreachable, match="within 2 s"):
            _list(odd.endpoint)


class FastTime:
    """The time, in which sleep takes none."""

    slept_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.slept_s

    def sleep(self, duration_s: float) -> None:
        self.slept_s += duration_s


def test_pauses_that_azure_asks_for_are_made_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fast = FastTime()
    monkeypatch.setattr(patience, "time", fast)
    monkeypatch.setattr(patience, "CALL_S", 20.0)  # less than the pauses have together
    with server(tmp_path, asks_for_pauses(1, 50, 1)) as busy, caplog.at_level(logging.WARNING):
        _put(busy.endpoint)
    assert (busy.asked, fast.slept_s) == (4, 52)
    assert [record.getMessage() for record in caplog.records] == [
        "Azure has too much to do, and asks to wait 50 s"
    ]


def test_a_pause_of_half_an_hour_is_not_made(tmp_path: Path) -> None:
    with server(tmp_path, asks_for_pauses(1800)) as busy:
        with pytest.raises(RequestRefused, match="asks for a pause of 1800 s") as caught:
            _put(busy.endpoint)
        assert caught.value.code == "TooManyRequests"


AT_EXIT = """
import asyncio, atexit, sys, time
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import EndpointUnreachable
from ipcluster_azure.resource_manager import patience
from ipcluster_azure.resource_manager.api import AzureApi, bridge

patience.CALL_S, patience.AFTER_SILENCE_S = 2.0, 0.5

def stop():
    with AzureApi(Endpoint(*sys.argv[1:5]), "s") as api:
        try:
            asyncio.run(main(api))
        except EndpointUnreachable as error:
            print(error)

async def main(api):
    await bridge(api.delete_group, "group")

atexit.register(stop)
{then}
"""


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (says_nothing, ""),
        (trickles, "asyncio.run(bridge(print, 'before'))"),
        pytest.param(trickles, "", marks=variant),
        pytest.param(says_nothing, "asyncio.run(bridge(print, 'before'))", marks=variant),
    ],
)
def test_at_the_interpreters_exit_too(tmp_path: Path, answer: Answer, then: str) -> None:
    with server(tmp_path, answer) as silent:
        where = silent.endpoint
        words = [where.url, where.audience, where.ca_file, where.token_file]
        began = time.monotonic()
        command = [sys.executable, "-c", AT_EXIT.format(then=then), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "does not answer" in done.stdout, done
    assert time.monotonic() - began < 2 + 3 * BUSY_S


HANGS = """
import asyncio, time
from ipcluster_azure.resource_manager.api import bridge

async def main():
    task = asyncio.ensure_future(bridge(time.sleep, 600))
    await asyncio.sleep(0.1)

asyncio.run(main())
"""


def test_a_thread_that_is_blocked_keeps_no_process_alive() -> None:
    subprocess.run([sys.executable, "-c", HANGS], timeout=60, check=True, env=dict(os.environ))
