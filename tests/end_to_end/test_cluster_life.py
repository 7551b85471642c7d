"""A cluster's life through ipcluster, as the README tells it."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.settings.traits import setting_names

from ..complete import variant
from .conftest import IMAGE, TWO_LINES, Profile, read_json

DEPRECATED_LINES = """
c.IPClusterStart.controller_launcher_class = 'AzureVMControllerLauncher'
c.IPClusterEngines.engine_launcher_class = 'AzureVMEngineSetLauncher'
"""


def test_stock_profile_with_the_documents_two_lines(bare_profile: Profile) -> None:
    """And with `endpoint` as the only further line; environment, copy and tunnels for real."""
    profile = bare_profile
    profile.run("ipython", "profile", "create", "--parallel", profile.name)
    config = profile.folder / "ipcluster_config.py"
    stock = config.read_text()
    for name in setting_names():
        assert f"# c.AzureVMLauncher.{name} = " in stock
    endpoint = 'c.AzureVMLauncher.endpoint = "emulator"\n'
    config.write_text(f"{stock}{DEPRECATED_LINES}{endpoint}")
    output = profile.ipcluster("start", "-n", "6", "--daemonize")
    assert "6 of 6 engines are registered" in output
    assert len(profile.engine_ids()) == 6
    assert (
        profile.python(
            "import ipyparallel as ipp\n"
            "def f(x): return x**10\n"
            f"c = ipp.Client(profile={profile.name!r}); view = c[:]\n"
            "print(view.map_sync(f, range(15)) == [x**10 for x in range(15)])"
        )
        == "True"
    )
    profile.ipcluster("stop")
    profile.assert_nothing_left()


@pytest.mark.parametrize(
    ("moment", "signum"),
    [
        pytest.param("Requesting the controller", signal.SIGINT, marks=variant),
        pytest.param("Requesting the controller", signal.SIGTERM, marks=variant),
        pytest.param("has accepted 1 machine ", signal.SIGINT, marks=variant),
        ("has accepted 1 machine ", signal.SIGTERM),
        pytest.param("machine is up", signal.SIGINT, marks=variant),
        pytest.param("machine is up", signal.SIGTERM, marks=variant),
        ("are registered", signal.SIGINT),
        pytest.param("are registered", signal.SIGTERM, marks=variant),
    ],
)
def test_a_signal_at_any_moment_deletes_everything(
    profile: Profile, moment: str, signum: signal.Signals
) -> None:
    process = profile.popen("ipcluster", "start", f"--profile={profile.name}", "-n", "2")
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if moment in line:
            break
    process.send_signal(signum)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, "".join(seen) + rest
    profile.assert_nothing_left()


def test_stop_from_another_process_ends_the_foreground_one(profile: Profile) -> None:
    process = profile.popen("ipcluster", "start", f"--profile={profile.name}", "-n", "1")
    assert process.stdout is not None
    assert any("are registered" in line for line in process.stdout)
    profile.python(
        "import ipyparallel as ipp\n"
        f"cluster = ipp.Cluster.from_file(profile={profile.name!r}, cluster_id='')\n"
        "cluster.stop_engines_sync()"
    )
    assert any("the cluster goes on" in line for line in process.stdout)
    assert len(profile.left_on_azure()["virtual_machines"]) == 1
    profile.ipcluster("stop")
    process.communicate(timeout=30)
    assert process.returncode == 0
    output = process.said()
    times = [float(seconds) for seconds in re.findall(r"\((\d+\.\d) s\)$", output, re.MULTILINE)]
    assert times == sorted(times), output  # one clock for both launchers
    assert len(times) > 5, output
    assert output.count(" was stopped by another process") == 2, output  # the set, the cluster
    assert output.count("The cluster was stopped by another process") == 1, output
    assert "shutdown early" not in output  # ipyparallel's advice against what was not the matter
    profile.assert_nothing_left()


@variant  # of test_kills
def test_after_a_kill_stop_deletes_everything(profile: Profile) -> None:
    # contract 1: ipyparallel itself writes the cluster file only after start() has returned
    process = profile.popen("ipcluster", "start", f"--profile={profile.name}", "-n", "2")
    assert process.stdout is not None
    assert any("has accepted the controller" in line for line in process.stdout)
    process.kill()
    process.communicate()
    assert profile.left_on_azure()["resource_groups"]
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_engines_added_by_another_process_are_removed_by_stop(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    more = profile.popen("ipcluster", "engines", f"--profile={profile.name}", "-n", "2")
    assert more.stdout is not None
    assert any("2 of 2 engines are registered" in line for line in more.stdout)
    assert len(profile.engine_ids()) == 3
    cluster = read_json(profile.folder / "security" / "cluster-.json")
    assert cluster["controller"]
    assert len(cluster["engines"]["sets"]) == 2  # type: ignore[index]
    profile.ipcluster("stop")
    more.communicate(timeout=30)
    assert more.said().count("The cluster was stopped by another process") == 1, more.said()
    assert "shutdown early" not in more.said()
    profile.assert_nothing_left()


def test_engines_added_while_the_controller_still_boots(profile: Profile) -> None:
    process = profile.popen("ipcluster", "start", f"--profile={profile.name}", "-n", "1")
    assert process.stdout is not None
    assert any("Requesting the controller" in line for line in process.stdout)
    profile.ipcluster("engines", "-n", "1", "--daemonize")
    assert any("are registered" in line for line in process.stdout)
    assert len(profile.engine_ids()) == 2
    profile.ipcluster("stop")
    process.communicate(timeout=30)
    profile.assert_nothing_left()


@variant  # of test_engines_added_while_the_controller_still_boots
def test_engines_added_with_daemonize(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    profile.ipcluster("engines", "-n", "1", "--daemonize")
    assert len(profile.engine_ids()) == 2
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_two_clusters_of_one_profile_do_not_touch_each_other(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    profile.ipcluster("start", "-n", "1", "--daemonize", "--cluster-id=b")
    profile.ipcluster("stop", "--cluster-id=b")
    assert len(profile.engine_ids()) == 1
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_odd_paths(tmp_path: Path, emulator: EmulatorInfo) -> None:
    """A home with spaces and other letters, a directory over 108 characters, nowhere to write."""
    home = tmp_path / "Jürgen Müller ☂"
    read_only = tmp_path / "read-only"
    read_only.mkdir()
    ipython_dir = home / ("a folder with a long name " * 5).strip() / ".ipython"
    ipython_dir.mkdir(parents=True)
    state_dir = home / ".ipcluster-azure" / "emulator"
    own = EmulatorInfo("", "", "", "", str(state_dir), 0)
    profile = Profile(ipython_dir, own, environment={"HOME": str(home)}, cwd=read_only)
    minimal = 'c.AzureVMLauncher.python_environment = "minimal"\n'
    profile.configure(f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n{minimal}')
    read_only.chmod(0o555)
    try:
        profile.ipcluster("start", "-n", "2", "--daemonize")
        assert len(profile.engine_ids()) == 2
        profile.ipcluster("stop")
        profile.assert_nothing_left()
    finally:
        profile.run("ipcluster-azure", "emulator", "stop")
    assert os.listdir(read_only) == []


@variant  # of test_failures
def test_the_cluster_file_is_gone_after_a_failed_start(profile: Profile) -> None:
    profile.configure(
        f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n'
        f'{IMAGE}c.AzureVMLauncher.image_python = "/no/such/python"\n'
    )
    started = time.monotonic()
    output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert time.monotonic() - started < 60
    assert "/no/such/python" in output
    profile.assert_nothing_left()


def test_no_proxy_is_asked_for_the_way_to_the_emulator(profile: Profile) -> None:
    nobody = "http://127.0.0.1:9"
    profile.environment.update(HTTPS_PROXY=nobody, https_proxy=nobody, ALL_PROXY=nobody)
    profile.ipcluster("start", "-n", "1", "--daemonize")
    assert len(profile.engine_ids()) == 1
    profile.ipcluster("stop")
    profile.assert_nothing_left()


INTERRUPTED = """
import asyncio, os, signal, sys
from ipyparallel.cluster.app import main
from ipyparallel.cluster.cluster import Cluster

make, start = asyncio.BaseEventLoop.__init__, Cluster.start_cluster

def end():
    asyncio.BaseEventLoop.__init__, Cluster.start_cluster = make, start
    os.kill(os.getpid(), signal.SIGTERM)

def make_and_end(loop):
    make(loop)
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        end()

async def end_and_start(cluster):
    end()
    await start(cluster)

asyncio.BaseEventLoop.__init__, Cluster.start_cluster = make_and_end, end_and_start
sys.argv = ["ipcluster", "start", sys.argv[1], "-n", "1"]
main()
"""


def test_a_signal_while_ipcluster_makes_its_event_loop_is_not_lost(profile: Profile) -> None:
    """Handlers that are there before its loop make another one; else it is ended a bit later."""
    argument = f"--profile={profile.name}"
    ended = profile.run("python", "-W", "ignore", "-c", INTERRUPTED, argument, timeout_s=30)
    assert "IPython cluster: stopping" in ended.stdout
    profile.assert_nothing_left()
