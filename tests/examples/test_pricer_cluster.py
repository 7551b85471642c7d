"""The pricer on a real local cluster whose engines can't import ipcluster_azure."""

import os
import signal
import time

import ipyparallel as ipp
import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options import surface as surface_module
from ipcluster_azure.examples.monte_carlo_options.__main__ import main
from ipcluster_azure.examples.monte_carlo_options.model import PATHS_PER_BLOCK, PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface

ARGUMENTS = (Model(n_fixings=40), [90.0, 110.0], [0.1, 0.2, 0.4], 12 * PATHS_PER_BLOCK + 5)


@ipp.interactive
def refuse_the_package():
    import sys

    class Refuse:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.split(".")[0] == "ipcluster_azure":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Refuse)


@ipp.interactive
def import_the_package():
    import ipcluster_azure  # noqa: F401


@pytest.fixture(scope="module")
def profile_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("ipython") / "profile_pricer"


@pytest.fixture(scope="module")
def client(profile_dir):
    cluster = ipp.Cluster(
        n=2,
        profile_dir=str(profile_dir),
        cluster_id="",
        controller_args=["--HeartMonitor.period=200", "--HeartMonitor.max_heartmonitor_misses=50"],
        delay=0,
    )
    with cluster as connected:
        connected.wait_for_engines(2, timeout=60, interactive=False)
        connected[:].apply_sync(refuse_the_package)
        yield connected
        connected.close()


@pytest.fixture
def many_tasks(monkeypatch):
    """A task per block: both engines work, and finish in no particular order."""
    monkeypatch.setattr(surface_module, "TASK_S", 0.0)


def assert_same_bits(one, other):
    for payoff in PAYOFFS:
        assert np.array_equal(one.prices[payoff], other.prices[payoff])
        assert np.array_equal(one.standard_errors[payoff], other.standard_errors[payoff])


def test_the_engines_can_t_import_the_package(client):
    with pytest.raises(ipp.error.CompositeError, match="No module named 'ipcluster_azure'"):
        client[:].apply_sync(import_the_package)


def test_the_same_bits_serially_and_on_two_engines(client, many_tasks):
    assert_same_bits(
        price_surface(*ARGUMENTS, seed=4, client=client), price_surface(*ARGUMENTS, seed=4)
    )


def test_the_same_bits_in_any_order_of_completion(client, many_tasks, monkeypatch):
    monkeypatch.setattr(surface_module, "as_completed", lambda results: reversed(list(results)))
    assert_same_bits(price_surface(*ARGUMENTS, client=client), price_surface(*ARGUMENTS))


def test_a_failure_on_every_engine_is_raised_here(client, many_tasks, monkeypatch):
    def fail(blocks, **grid):
        raise ZeroDivisionError("on the engine")

    monkeypatch.setattr(surface_module, "simulate_blocks", fail)
    with pytest.raises(ipp.error.RemoteError, match="on the engine"):
        price_surface(*ARGUMENTS, client=client)


def test_the_command_prices_on_the_cluster(client, profile_dir, monkeypatch, capsys):
    monkeypatch.setenv("IPYTHONDIR", str(profile_dir.parent))
    common = ["--strikes", "90:110:2", "--vols", ".1,.2", "--paths", "1e4", "--fixings", "12"]
    assert main(["--profile", "pricer", *common]) == 0
    on_cluster = capsys.readouterr().out
    assert main(["--serial", *common]) == 0
    serial = capsys.readouterr().out
    assert on_cluster.splitlines()[:-1] == serial.splitlines()[:-1]  # the last is the time


def test_a_killed_engine_costs_nothing_but_time(client, many_tasks):
    """Last but one: it leaves one engine."""
    victim = client[0].apply_sync(os.getpid)
    progress = iter(range(100))

    def kill_after_two_results(results):
        for result in as_completed(results):
            yield result
            if next(progress) == 1:
                os.kill(victim, signal.SIGKILL)

    as_completed = surface_module.as_completed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surface_module, "as_completed", kill_after_two_results)
        survived = price_surface(*ARGUMENTS, client=client)
    assert_same_bits(survived, price_surface(*ARGUMENTS))


def test_without_engines_there_is_an_error_not_a_wait(client):
    """Last: it leaves none."""
    client.cluster.stop_engines_sync()
    deadline_s = time.monotonic() + 20
    while client.ids and time.monotonic() < deadline_s:
        time.sleep(0.1)
    with pytest.raises(ipp.error.NoEnginesRegistered):
        price_surface(*ARGUMENTS, client=client)
