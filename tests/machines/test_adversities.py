"""Clusters under bad conditions: a full disk, a slow DNS, a narrow way, a reboot."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from azure_emulator.testing import fault, faults

from .conftest import Laptop

MTU = 1400
STOPPED_S, RUNNING_S = 3.0, 0.5  # of the DNS, in turns
ON_CONTROLLER = "Microsoft.Compute/virtualMachines"


def test_a_full_disk_is_named(laptop: Laptop) -> None:
    laptop = laptop.with_profile("full")
    full = fault("small_disk", type=ON_CONTROLLER, disk_mb=60)
    with faults(laptop.emulator, full) as met:
        output = laptop.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert met.fired == [1]
    assert re.search(r"the controller: the disk of [\d.]+ GB is full: set os_disk_gb", output)
    assert laptop.left_on_azure() == []


@contextmanager
def slow_dns(laptop: Laptop) -> Iterator[None]:
    """Have the only DNS answer in short moments, so that most questions wait or are asked anew."""
    folder = laptop.emulator.state_dir
    (server,) = (
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "dnsmasq"
        and any(f"--addn-hosts={folder}" in word for word in process.info["cmdline"] or ())
    )
    over = threading.Event()

    def turn() -> None:
        while not over.is_set():
            server.send_signal(signal.SIGSTOP)
            over.wait(STOPPED_S)
            server.send_signal(signal.SIGCONT)
            over.wait(RUNNING_S)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def narrow_way(laptop: Laptop) -> Iterator[None]:
    """Have packets between the laptop and all else be smaller than usual, as a VPN has them."""
    router = f"{laptop.namespace.removesuffix('laptop')}router"
    ends = ((router, "laptop"), (laptop.namespace, "eth0"))

    def settle(mtu: int) -> None:
        for namespace, device in ends:
            laptop.here("ip", "-n", namespace, "link", "set", device, "mtu", str(mtu))

    settle(MTU)
    try:
        yield
    finally:
        settle(1500)


@pytest.fixture(scope="module")
def harried(laptop: Laptop) -> Iterator[Laptop]:
    """A cluster that came up, and is used, under all of these conditions at once."""
    laptop = laptop.with_profile("harried")
    try:
        with slow_dns(laptop), narrow_way(laptop):
            output = laptop.ipcluster("start", "-n", "2", "--daemonize")
            assert "2 of 2 engines are registered" in output
            yield laptop
    finally:
        laptop.ipcluster("stop", expect=None)
    assert laptop.left_on_azure() == []


def test_it_starts_and_computes(harried: Laptop) -> None:
    assert harried.on_engines("def task():\n return 42") == [42, 42]


def test_large_arrays_pass_the_narrow_way(harried: Laptop) -> None:
    code = f"""
import ipyparallel as ipp, numpy as np
client = ipp.Client(profile={harried.profile!r})
sent = np.arange(2_000_000.0)
(back, _) = client[:].apply_sync(lambda array: array + 1, sent)
print(bool((back == sent + 1).all()))
"""
    assert harried.python(code) == "True"


def test_the_controller_reboots_in_the_middle_of_tasks(harried: Laptop) -> None:
    """Nothing hangs: whoever waits for tasks is told in time that the cluster is over."""
    code = f"""
import ipyparallel as ipp, time
client = ipp.Client(profile={harried.profile!r})
tasks = client.load_balanced_view().map_async(time.sleep, [5] * 50, chunksize=1)
print("waits", flush=True)
try:
    tasks.get(timeout=240)
except Exception as error:
    print(type(error).__name__, str(error)[:500])
"""
    waiting = threading.Timer(
        15, harried.on_machine, ("controller", "sudo reboot"), {"expect": None}
    )
    waiting.start()
    said = harried.python(code)
    waiting.join()
    assert "controller" in said, said
    assert "TimeoutError" not in said
