"""The pricer on a real local cluster whose engines can't import ipcluster_azure."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import wait

import ipyparallel as ipp
import numpy as np
import psutil
import pytest
from ipcluster_azure.examples.monte_carlo_options import cluster as cluster_module
from ipcluster_azure.examples.monte_carlo_options import load
from ipcluster_azure.examples.monte_carlo_options.__main__ import main
from ipcluster_azure.examples.monte_carlo_options.block import METHODS
from ipcluster_azure.examples.monte_carlo_options.model import PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.paths import PATHS_PER_BLOCK
from ipcluster_azure.examples.monte_carlo_options.run import MixedArithmetic
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface

from tests.processes import is_alive

ARGUMENTS = (Model(n_fixings=40), [90.0, 110.0], [0.1, 0.2, 0.4], 44 * PATHS_PER_BLOCK + 5)


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


@ipp.interactive
def cpu_s():
    import time

    return time.process_time()


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
    """A task per block: all engines work, and finish in no particular order."""
    monkeypatch.setattr(cluster_module, "task_blocks", lambda *_: 1)


@pytest.fixture
def another_engine(client, profile_dir):
    """Starts one engine more, with variables of its own, and ends it at the end of the test."""
    processes = []

    def start(environment):
        before = set(client.ids)
        processes.append(
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "ipyparallel.engine"),
                    *("--profile-dir", str(profile_dir), "--log-level=ERROR"),
                ],
                env={**os.environ, **environment},
            )
        )
        client.wait_for_engines(len(before) + 1, timeout=60, interactive=False)
        return (set(client.ids) - before).pop()

    yield start
    for process in processes:
        process.kill()
        process.wait()
    deadline_s = time.monotonic() + 40
    while len(client.ids) > 2 and time.monotonic() < deadline_s:
        time.sleep(0.1)


def assert_same_bits(one, other):
    assert one.n_blocks == other.n_blocks
    for payoff in PAYOFFS:
        assert np.array_equal(one.prices[payoff], other.prices[payoff])
        assert np.array_equal(one.standard_errors[payoff], other.standard_errors[payoff])


def wait_for(condition, timeout_s=40.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_the_engines_can_t_import_the_package(client):
    with pytest.raises(ipp.error.CompositeError, match="No module named 'ipcluster_azure'"):
        client[:].apply_sync(import_the_package)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_bits_serially_and_on_two_engines(client, many_tasks, method):
    on_cluster = price_surface(*ARGUMENTS, seed=4, method=method, client=client)
    serial = price_surface(*ARGUMENTS, seed=4, method=method)
    assert_same_bits(on_cluster, serial)
    assert on_cluster.arithmetic == serial.arithmetic


def test_the_same_bits_with_tasks_as_long_as_is_best(client):
    assert_same_bits(price_surface(*ARGUMENTS, client=client), price_surface(*ARGUMENTS))


def test_some_of_the_engines_do_all_the_work(client, many_tasks):
    chosen = client.ids[:1]
    before = client[:].apply_sync(cpu_s)
    assert_same_bits(
        price_surface(*ARGUMENTS, client=client, engines=chosen), price_surface(*ARGUMENTS)
    )
    used = np.subtract(client[:].apply_sync(cpu_s), before)
    assert used[0] > 0.1
    assert used[1] < used[0] / 5
    with pytest.raises(ipp.error.NoEnginesRegistered):
        price_surface(*ARGUMENTS, client=client, engines=[99])


def test_the_load_of_each_engine_is_watched(client, many_tasks):
    load.start(client, interval_s=0.05)
    price_surface(*ARGUMENTS, client=client, engines=client.ids[:1])
    samples = load.stop(client)
    assert list(samples) == client.ids
    for seconds, shares in samples.values():
        assert seconds.size == shares.size > 3
        assert (np.diff(seconds) > 0.03).all()
        assert (shares >= 0).all()
    assert samples[0][1].mean() > 3 * samples[1][1].mean()


def test_the_same_round_is_the_last_one(client, many_tasks):
    wanted = {"standard_error": 0.02, "method": "control"}
    arguments = (*ARGUMENTS[:3], 1e6)
    serial = price_surface(*arguments, **wanted)
    assert 64 < serial.n_blocks < 900
    assert_same_bits(price_surface(*arguments, **wanted, client=client), serial)


def test_an_engine_has_one_thread_for_linear_algebra(client, another_engine):
    """Its own engine: numpy starts OpenBLAS's threads when it is imported first."""
    number = another_engine({"OPENBLAS_NUM_THREADS": ""})
    process = psutil.Process(client[number].apply_sync(os.getpid))
    before = process.num_threads()
    price_surface(*ARGUMENTS, client=client)
    assert process.num_threads() <= before + 1  # ipykernel may have started one; BLAS, none


def test_a_failure_on_every_engine_is_raised_here(client, many_tasks, monkeypatch):
    texts = json.loads(zlib.decompress(cluster_module.block_source()))
    texts["block"] += "\ndef work(*_): raise ZeroDivisionError('there')\n"
    broken = zlib.compress(json.dumps(texts).encode())
    monkeypatch.setattr(cluster_module, "block_source", lambda: broken)
    with pytest.raises(ipp.error.RemoteError, match="there"):
        price_surface(*ARGUMENTS, client=client)


def test_processors_that_differ_are_refused_or_said(
    client, many_tasks, another_engine, another_processor, tmp_path
):
    serial = price_surface(*ARGUMENTS)
    another_engine(another_processor)
    with pytest.raises(MixedArithmetic, match=r"different last bits.*mixed=True \(--mixed\)"):
        price_surface(*ARGUMENTS, client=client)
    mixed = price_surface(*ARGUMENTS, client=client, mixed=True, checkpoint=tmp_path)
    assert len(mixed.arithmetic) == 2
    for payoff in PAYOFFS:
        np.testing.assert_allclose(mixed.prices[payoff], serial.prices[payoff], atol=1e-6)
    # and what is on disk says so as well
    assert price_surface(*ARGUMENTS, checkpoint=tmp_path).arithmetic == mixed.arithmetic


def test_an_engine_that_differs_and_joins_later_is_refused(
    client, many_tasks, another_engine, another_processor
):
    original = cluster_module.Engines.run
    arguments = (*ARGUMENTS[:3], 4000 * PATHS_PER_BLOCK)
    joined = []

    def join_while_running(self, *args):
        for number, done in enumerate(original(self, *args)):
            if number == 20:
                joined.append(another_engine(another_processor))
            yield done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_module.Engines, "run", join_while_running)
        with pytest.raises(MixedArithmetic, match="an engine that joined"):
            price_surface(*arguments, client=client)
    assert joined


def test_the_command_prices_on_the_cluster(client, profile_dir, monkeypatch, capsys):
    monkeypatch.setenv("IPYTHONDIR", str(profile_dir.parent))
    common = ["--strikes", "90:110:2", "--vols", ".1,.2", "--paths", "1e4", "--fixings", "12"]
    assert main(["--profile", "pricer", *common]) == 0
    on_cluster = capsys.readouterr().out
    assert main(["--serial", *common]) == 0
    serial = capsys.readouterr().out
    assert on_cluster.splitlines()[:-1] == serial.splitlines()[:-1]  # the last is the time


@ipp.interactive
def block_numba(blocked):
    import sys

    if blocked:
        sys.modules["numba"] = None  # what an import of a missing module finds
    else:
        sys.modules.pop("numba", None)


def test_numba_missing_on_the_engines_is_no_missing_cluster(
    client, profile_dir, monkeypatch, capsys
):
    monkeypatch.setenv("IPYTHONDIR", str(profile_dir.parent))
    client[:].apply_sync(block_numba, True)
    try:
        assert main(["--profile", "pricer", "--kernel", "numba", "--paths", "1e4"]) == 1
    finally:
        client[:].apply_sync(block_numba, False)
    (line,) = capsys.readouterr().err.splitlines()
    assert "an engine failed: ModuleNotFoundError" in line
    assert "numba" in line
    assert "install it where the engines run" in line


PATHS, BLOCKS = 1_600_000, 1563  # some seconds of work, of which a part is done when it is ended


@pytest.fixture(scope="module")
def never_interrupted():
    return price_surface(Model(), 100, 0.2, PATHS)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_on_the_cluster_that_is_interrupted_goes_on(
    client, profile_dir, tmp_path, never_interrupted, how
):
    command = [
        *(sys.executable, "-m", "ipcluster_azure.examples.monte_carlo_options"),
        *("--profile", "pricer", "--paths", str(PATHS), "--checkpoint", str(tmp_path)),
        *("--strikes", "100", "--vols", ".2", "--output", str(tmp_path / "out")),
    ]
    environment = {**os.environ, "IPYTHONDIR": str(profile_dir.parent)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: list(tmp_path.glob("prices-*.npz")))
        process.send_signal(how)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0
    if how == signal.SIGINT:
        assert b"Traceback" not in err
        assert b"the same command goes on" in err
        assert process.returncode == 130
    (saved,) = tmp_path.glob("prices-*.npz")
    with np.load(saved) as file:
        kept = int(file["n_blocks"].sum())
    assert 0 < kept < BLOCKS
    resumed = price_surface(Model(), 100, 0.2, PATHS, checkpoint=tmp_path, client=client)
    assert_same_bits(resumed, never_interrupted)
    # The engines were left without tasks of the interrupted run.
    assert client[:].apply_async(os.getpid).get(timeout=10)


def test_the_same_bits_on_one_to_eight_engines(client, many_tasks, another_engine):
    serial = price_surface(*ARGUMENTS)
    for n_engines in (2, 4, 8):
        while len(client.ids) < n_engines:
            another_engine({})
        assert_same_bits(price_surface(*ARGUMENTS, client=client), serial)


def test_a_killed_engine_costs_nothing_but_time(client, many_tasks):
    """Last but one: it leaves one engine."""
    victim = client[0].apply_sync(os.getpid)
    progress = iter(range(1000))

    def kill_after_five_results(results, **options):
        if next(progress) == 5:
            os.kill(victim, signal.SIGKILL)
        return wait(results, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_module, "wait", kill_after_five_results)
        survived = price_surface(*ARGUMENTS, client=client)
    assert not is_alive(victim)
    serial = price_surface(*ARGUMENTS)
    assert_same_bits(survived, serial)
    wait_for(lambda: len(client.ids) == 1)
    assert_same_bits(price_surface(*ARGUMENTS, client=client), serial)  # on one engine


def test_without_engines_there_is_an_error_not_a_wait(client, many_tasks, monkeypatch):
    """Last: it leaves none."""
    monkeypatch.setattr(cluster_module, "NO_ENGINE_S", 0.5)
    original = cluster_module.Engines.run

    def stop_while_running(self, *args):
        done = original(self, *args)
        yield next(done)
        client.cluster.stop_engines_sync()
        yield from done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_module.Engines, "run", stop_while_running)
        with pytest.raises((ipp.error.NoEnginesRegistered, ipp.error.EngineError)):
            price_surface(*ARGUMENTS[:3], 1e7, client=client)
    wait_for(lambda: not client.ids)
    with pytest.raises(ipp.error.NoEnginesRegistered):
        price_surface(*ARGUMENTS, client=client)
