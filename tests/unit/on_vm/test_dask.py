"""become_dask on the machines: where its scheduler is, and what can go wrong there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import ipyparallel as ipp
import pytest

from ipcluster_azure.on_vm.agent.dask import PORT, worker_arguments

from .agents import HEARTBEAT, Agent, connect

ADDRESS = "10.0.0.4"


@contextmanager
def dask_of(client: ipp.Client) -> Iterator[Any]:
    with closing(client.become_dask()) as dask:
        yield dask
    client.stop_dask()


def test_the_scheduler_is_at_a_port_of_its_own_and_ends(agent: Agent) -> None:
    agent.engines("dask", 1)
    place = (agent.ip, PORT)
    with connect(agent, 1) as client:
        with socket.create_server(place), pytest.raises(ipp.error.RemoteError, match="in use"):
            client.become_dask()  # what fails is not what is found the next time
        for _ in range(2):
            with dask_of(client) as dask:
                assert dask.scheduler.address == f"tcp://{agent.ip}:{PORT}"
                assert dask.submit(sum, [1, 2]).result(timeout=20) == 3
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(place, timeout=1)


def test_a_controller_without_dask_says_what_to_do(bare: Agent) -> None:
    config = bare.dir / "profile" / "ipcontroller_config.py"
    config.write_text(f"{HEARTBEAT}import sys\nsys.modules['distributed'] = None\n")
    bare.controller("--given=minimal")
    bare.engines("dask", 1)
    with connect(bare, 1) as client, pytest.raises(ipp.error.RemoteError) as caught:
        client.become_dask()
    assert "The engines don't have distributed: " in caught.value.evalue
    assert "c.AzureVMLauncher.requirements" in caught.value.evalue


@pytest.mark.parametrize(
    ("given", "host", "expected"),
    [
        ("tcp://127.0.0.1:40123", "10.0.0.5", f"tcp://{ADDRESS}:{PORT}"),
        ("tls://127.0.0.1:40123", "", f"tls://{ADDRESS}:{PORT}"),
        ("tcp://10.1.2.3:99", "10.0.0.5", "tcp://10.1.2.3:99"),
    ],
)
def test_a_worker_is_led_to_the_scheduler_where_it_is(given: str, host: str, expected: str) -> None:
    named = worker_arguments({"address": given, "nthreads": 2}, ADDRESS, host)
    assert named.pop("address") == expected
    assert named == ({"host": host, "nthreads": 2} if host else {"nthreads": 2})


def test_a_client_may_choose_another_address_for_a_worker() -> None:
    named = worker_arguments({"address": "tcp://127.0.0.1:1", "host": "10.0.0.9"}, ADDRESS, "h")
    assert named["host"] == "10.0.0.9"
