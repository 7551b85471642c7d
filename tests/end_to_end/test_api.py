"""The cluster from Python: every spelling of the launchers, with blocks, exits, other processes."""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest
from ipyparallel.cluster.launcher import NotRunning
from traitlets.config import Config

from azure_emulator import client
from ipcluster_azure.errors import AzureLauncherError, ClusterStopped
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.launchers.cluster_file import write_in_one_piece
from ipcluster_azure.private_files import write_private
from ipcluster_azure.record.file import RecordFile

from ..complete import variant
from ..unit.launchers.test_caller import rename_restart
from .conftest import IMAGE, TWO_LINES, Profile, local_controllers, wait_for

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture
def config() -> Config:
    config = Config()
    config.AzureVMLauncher.endpoint = "emulator"
    config.AzureVMLauncher.python_environment = "image"
    config.AzureVMLauncher.image_python = sys.executable
    config.AzureVMLauncher.sync_paths = []  # the working directory is the project's own
    config.Cluster.delay = 0
    return config


def _cluster(profile: Profile, config: Config, **kwargs: Any) -> Any:
    kwargs = {"controller": "azurevm", "engines": "azurevm", "cluster_id": "", **kwargs}
    return ipp.Cluster(profile_dir=str(profile.folder), config=config, load_profile=False, **kwargs)


def _machines_left(profile: Profile, count: int) -> None:
    """A deletion is accepted at once, and done a moment later."""
    wait_for(lambda: len(profile.left_on_azure()["virtual_machines"]) == count)


@pytest.mark.parametrize(
    "launchers",
    [
        ("azurevm", "azurevm"),
        ("AzureVM", "azurevmenginesetlauncher"),
        (
            "ipcluster_azure.launchers.AzureVMControllerLauncher",
            "ipcluster_azure.launchers.AzureVMEngineSetLauncher",
        ),
        (AzureVMControllerLauncher, AzureVMEngineSetLauncher),
    ],
    ids=["entry point", "other case", "module path", "class"],
)
def test_every_spelling_names_our_launchers(
    bare_profile: Profile, config: Config, launchers: tuple[Any, Any]
) -> None:
    cluster = _cluster(bare_profile, config, controller=launchers[0], engines=launchers[1])
    assert cluster.controller_launcher_class is AzureVMControllerLauncher
    assert cluster.engine_launcher_class is AzureVMEngineSetLauncher


def test_with_block(bare_profile: Profile, config: Config) -> None:
    with _cluster(bare_profile, config, n=2) as rc:
        assert rc[:].map_sync(abs, range(-3, 1)) == [3, 2, 1, 0]
    bare_profile.assert_nothing_left()


@variant  # of tests/contract, which awaits starts and stops
async def test_async_with_block(bare_profile: Profile, config: Config) -> None:
    async with _cluster(bare_profile, config, n=1) as rc:
        assert await asyncio.wrap_future(rc[:].apply_async(abs, -7)) == [7]
    await asyncio.to_thread(bare_profile.assert_nothing_left)


async def test_engines_added_and_stopped_by_themselves(
    bare_profile: Profile, config: Config
) -> None:
    cluster = _cluster(bare_profile, config)
    await cluster.start_cluster(n=1)  # cluster.n stays None
    more = await cluster.start_engines(4)
    with await cluster.connect_client() as rc:
        rc.wait_for_engines(5, timeout=20, interactive=False)
        await cluster.stop_engines(more)
        for _ in range(100):  # a set that is stopped leaves the hub without waiting for heartbeats
            if len(rc.ids) == 1:
                break
            await asyncio.sleep(0.05)
        assert rc.ids == [0]
    await asyncio.to_thread(_machines_left, bare_profile, 2)
    await cluster.stop_cluster()
    bare_profile.assert_nothing_left()


async def test_the_controller_by_itself(bare_profile: Profile, config: Config) -> None:
    cluster = _cluster(bare_profile, config)
    await cluster.start_controller()
    info = await cluster.controller.get_connection_info()
    assert info["client"]["interface"] == "tcp://127.0.0.1"
    assert info["engine"]["interface"] != info["client"]["interface"]
    with await cluster.connect_client() as rc:
        assert rc.ids == []
    await cluster.stop_controller()
    await cluster.stop_controller()
    bare_profile.assert_nothing_left()


async def test_a_stop_during_the_start_ends_it(bare_profile: Profile, config: Config) -> None:
    cluster = _cluster(bare_profile, config, n=1)
    starting = asyncio.ensure_future(cluster.start_cluster())
    while not bare_profile.left_on_azure()["resource_groups"]:
        await asyncio.sleep(0.02)
    await cluster.stop_cluster()
    with pytest.raises((ClusterStopped, AzureLauncherError)):
        await starting
    await asyncio.to_thread(bare_profile.assert_nothing_left)


async def test_a_stop_before_anything_is_created_prevents_it(
    bare_profile: Profile, config: Config
) -> None:
    cluster = _cluster(bare_profile, config, n=1)
    starting = asyncio.ensure_future(cluster.start_cluster())
    await asyncio.sleep(0)
    await cluster.stop_cluster()
    with pytest.raises(ClusterStopped):
        await starting
    bare_profile.assert_nothing_left()


@variant  # of test_a_stop_during_the_start_ends_it
async def test_engines_stopped_during_their_start_leave_the_cluster_alone(
    bare_profile: Profile, config: Config
) -> None:
    cluster = _cluster(bare_profile, config)
    await cluster.start_cluster(n=1)
    starting = asyncio.ensure_future(cluster.start_engines(2, engine_set_id="more"))
    while len(bare_profile.left_on_azure()["virtual_machines"]) < 3:
        await asyncio.sleep(0.02)
    await cluster.stop_engines("more")
    with pytest.raises(AzureLauncherError):
        await starting
    await asyncio.to_thread(_machines_left, bare_profile, 2)
    with await cluster.connect_client() as rc:
        assert rc.ids == [0]
    await cluster.stop_cluster()
    await asyncio.to_thread(bare_profile.assert_nothing_left)


async def test_engine_sets_of_one_id(bare_profile: Profile, config: Config) -> None:
    """ipyparallel's ids are seconds: two processes that add engines may come upon the same."""
    cluster = _cluster(bare_profile, config)
    await cluster.start_controller()
    await cluster.start_engines(1, engine_set_id="1795339923")
    joining = _cluster(bare_profile, config)
    await joining.start_engines(1, engine_set_id="1795339923")
    restored = ipp.Cluster.from_file(cluster.cluster_file)
    assert len(restored.engines) == 2
    with pytest.raises(AzureLauncherError, match="engine set '1795339923' already"):
        await restored.start_engines(1, engine_set_id="1795339923")
    with await cluster.connect_client() as rc:
        assert rc.ids == [0, 1]
    await joining.restart_engines("1795339923")
    with await cluster.connect_client() as rc:
        assert rc.ids == [0, 2]
    await joining.stop_engines("1795339923")
    await asyncio.to_thread(_machines_left, bare_profile, 2)
    await cluster.stop_cluster()
    await asyncio.to_thread(bare_profile.assert_nothing_left)


async def test_a_cancelled_start_is_undone(bare_profile: Profile, config: Config) -> None:
    cluster = _cluster(bare_profile, config, n=1)
    starting = asyncio.ensure_future(cluster.start_cluster())
    while not bare_profile.left_on_azure()["resource_groups"]:
        await asyncio.sleep(0.02)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await cluster.stop_cluster()
    await asyncio.to_thread(bare_profile.assert_nothing_left)


def _start_and_end(profile: Profile, ending: str) -> None:
    profile.configure(f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n{IMAGE}')
    profile.run(
        "python",
        "-c",
        "import ipyparallel as ipp\n"
        f"cluster = ipp.Cluster(profile={profile.name!r}, cluster_id='', n=1)\n"
        "cluster.start_cluster_sync()\n"
        f"{ending}",
        expect=None,
        traceback_because="the program fails by itself" if "/" in ending else "",
    )


@pytest.mark.parametrize(
    "ending", ["", *(pytest.param(end, marks=variant) for end in ("raise SystemExit(3)", "1 / 0"))]
)
def test_the_interpreters_exit_deletes_everything(bare_profile: Profile, ending: str) -> None:
    _start_and_end(bare_profile, ending)
    bare_profile.assert_nothing_left()


def test_without_shutdown_atexit_the_cluster_stays(bare_profile: Profile) -> None:
    _start_and_end(bare_profile, "cluster.shutdown_atexit = False")
    assert len(bare_profile.left_on_azure()["virtual_machines"]) == 2
    code = f"import ipyparallel as ipp; print(ipp.Client(profile={bare_profile.name!r}).ids)"
    assert bare_profile.python(code) == "[0]"
    bare_profile.ipcluster("stop")
    bare_profile.assert_nothing_left()


def test_a_cluster_file_is_never_half_written(bare_profile: Profile, config: Config) -> None:
    """Who dies while it is written would leave a file that `ipcluster stop` can't read."""

    class Dying(ipp.Cluster):  # type: ignore[misc]
        def to_dict(self) -> Any:
            raise KeyboardInterrupt

    cluster = Dying(profile_dir=str(bare_profile.folder), config=config, load_profile=False)
    path = Path(cluster.cluster_file)
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    write_in_one_piece(cluster)
    with pytest.raises(KeyboardInterrupt):
        cluster.write_cluster_file()
    assert path.read_text() == "{}"
    assert list(path.parent.glob(".*")) == []


def test_a_cluster_file_does_not_come_back(
    bare_profile: Profile, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each launcher's watch may notice in a thread of its own that the cluster is gone."""
    cluster = ipp.Cluster(profile_dir=str(bare_profile.folder), config=config, load_profile=False)
    write_in_one_piece(cluster)
    cluster.controller = AzureVMControllerLauncher(parent=cluster)
    cluster.controller.state = "running"
    path = Path(cluster.cluster_file)
    fsync = os.fsync

    def stop_elsewhere(descriptor: int) -> None:
        fsync(descriptor)
        cluster.controller.state = "after"
        cluster.remove_cluster_file()

    cluster.update_cluster_file()
    assert path.exists()
    monkeypatch.setattr(os, "fsync", stop_elsewhere)
    cluster.update_cluster_file()
    assert not path.exists()


def test_the_cluster_file_of_a_cluster_that_is_gone_is_not_written_again(
    bare_profile: Profile, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its launchers learn one after the other that it is gone; a kill between them may come."""
    cluster = ipp.Cluster(profile_dir=str(bare_profile.folder), config=config, load_profile=False)
    cluster.shutdown_atexit = False
    write_in_one_piece(cluster)
    cluster.controller = AzureVMControllerLauncher(parent=cluster)
    cluster.engines["s"] = AzureVMEngineSetLauncher(parent=cluster, engine_set_id="s")
    cluster.controller.state = cluster.engines["s"].state = "running"
    cluster.update_cluster_file()
    path = Path(cluster.cluster_file)
    assert path.exists()
    cluster.controller.state = "after"
    writes: list[int] = []
    monkeypatch.setattr(os, "fsync", writes.append)
    cluster.update_cluster_file()
    assert (writes, path.exists()) == ([], False)
    record = RecordFile.of(cluster.profile_dir, cluster.cluster_id).path
    record.touch()
    cluster.update_cluster_file()  # the controller's stop alone does not end the cluster
    assert (len(writes), path.exists()) == (1, True)
    record.unlink()
    cluster.engines["s"].state = "after"
    cluster.update_cluster_file()
    assert not path.exists()


def test_a_cluster_file_whose_cluster_is_stopped_meanwhile_is_not_missed(
    bare_profile: Profile, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = ipp.Cluster(
        profile_dir=str(bare_profile.folder), config=config, load_profile=False, cluster_id="c"
    )
    write_in_one_piece(cluster)
    elsewhere = RecordFile.of(str(bare_profile.folder), "c")
    monkeypatch.setattr(os, "fsync", lambda descriptor: elsewhere.erase())
    cluster.write_cluster_file()
    assert {path.name for path in elsewhere.path.parent.iterdir()} == {".azure.lock"}


def test_from_file_needs_no_configuration(profile: Profile) -> None:
    # contract 23: JupyterLab and `ipcluster list` load another profile's, or none
    profile.ipcluster("start", "-n", "1", "--daemonize")
    (profile.folder / "ipcluster_config.py").unlink()
    path = profile.folder / "security" / "cluster-.json"
    output = profile.python(
        "import ipyparallel as ipp\n"
        f"cluster = ipp.Cluster.from_file({str(path)!r})\n"
        "with cluster.connect_client_sync() as rc: print(rc.ids)\n"
        "cluster.stop_cluster_sync()"
    )
    assert output.splitlines()[0] == "[0]"
    profile.assert_nothing_left()


def test_restoring_asks_nothing_of_azure(profile: Profile, emulator: Any) -> None:
    # contract 8, 9: whatever can't be reached may still cost money
    profile.ipcluster("start", "-n", "1", "--daemonize")
    state = json.loads((profile.folder / "security" / "cluster-.json").read_text())
    record = profile.folder / "security" / "azure-.json"
    content = record.read_text()
    record.write_text(content.replace(emulator.endpoint, "https://127.0.0.1:9"))
    launcher = AzureVMControllerLauncher.from_dict(state["controller"]["state"])
    assert launcher.running
    (set_id, engines) = next(iter(state["engines"]["sets"].items()))
    restored = AzureVMEngineSetLauncher.from_dict(engines, engine_set_id=set_id)
    assert restored.running
    assert restored.n == 1
    record.write_text("{")
    assert AzureVMControllerLauncher.from_dict(state["controller"]["state"]).running
    record.unlink()  # as a start, which writes it just after ipyparallel's file
    threading.Timer(0.1, write_private, [record, content]).start()
    assert AzureVMControllerLauncher.from_dict(state["controller"]["state"]).running
    profile.ipcluster("stop")
    with pytest.raises(NotRunning):
        AzureVMControllerLauncher.from_dict(state["controller"]["state"])
    with pytest.raises(NotRunning):
        AzureVMEngineSetLauncher.from_dict(engines, engine_set_id=set_id)


def test_engine_set_of_another_controller_is_refused(bare_profile: Profile, config: Config) -> None:
    cluster = _cluster(bare_profile, config, controller="local", n=1)
    with pytest.raises(AzureLauncherError, match="need a controller on Azure"):
        cluster.start_cluster_sync()
    cluster.stop_cluster_sync()
    for path in (bare_profile.folder / "security").glob("ipcontroller-*.json"):
        path.unlink()  # ipyparallel's own local controller leaves them
    bare_profile.assert_nothing_left()
    assert not local_controllers(bare_profile)


def test_a_job_file_can_be_written_without_starting(bare_profile: Profile, config: Config) -> None:
    launcher = AzureVMControllerLauncher(
        config=config, profile_dir=str(bare_profile.folder), cluster_id="plan"
    )
    launcher.write_job_file(7)
    assert Path(launcher.job_file).name == "azure_controller-plan.json"
    names = {"azure_controller-plan.json", "azure_engineset-plan.json"}
    written = {path.name: path for path in bare_profile.folder.glob("azure_*-plan*.json")}
    assert set(written) == {*names, "azure_cluster-plan.parameters.json"}
    assert written["azure_cluster-plan.parameters.json"].stat().st_mode & 0o077 == 0
    engines = json.loads(written["azure_engineset-plan.json"].read_text())
    assert engines["parameters"]["boot"]["defaultValue"]["n"] == 7
    bare_profile.assert_nothing_left()


def test_signals_and_output_of_the_controller(bare_profile: Profile, config: Config) -> None:
    cluster = _cluster(bare_profile, config)
    cluster.start_controller_sync()
    controller = cluster.controller
    asyncio.run(controller.get_connection_info())
    assert controller.poll() is None
    assert controller.args
    asyncio.run(controller.signal(0))
    with pytest.raises(TimeoutError):
        asyncio.run(controller.join(timeout=0.2))
    cluster.stop_cluster_sync()
    assert controller.poll() == 0
    asyncio.run(controller.join(timeout=0.2))
    assert "heartbeat" in controller.get_output()


def test_a_link_that_nobody_watches_is_revived_by_from_file(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    profile.kill_link()
    output = profile.python(
        "import ipyparallel as ipp\n"
        f"cluster = ipp.Cluster.from_file(profile={profile.name!r})\n"
        "with cluster.connect_client_sync() as rc: print(rc.ids)"
    )
    assert output == "[0]"
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_cluster_of_a_dead_emulator_can_be_stopped(tmp_path: Path, bare_profile: Profile) -> None:
    own = client.start(tmp_path / "own")
    profile = Profile(bare_profile.ipython_dir, own)
    profile.configure(f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n{IMAGE}')
    profile.ipcluster("start", "-n", "1", "--daemonize")
    profile.kill_link()  # it would be faster
    client.stop(own.state_dir)
    assert "emulator that ran this cluster is gone" in profile.ipcluster("stop")
    assert profile.files() == set()


def test_a_deletion_elsewhere_is_noticed_after_a_sync_start(
    bare_profile: Profile, config: Config
) -> None:
    # contract 10: the loop of start_cluster_sync is closed, so nothing can be posted to it
    cluster = _cluster(bare_profile, config, n=1)
    cluster.start_cluster_sync()
    stopped: list[Any] = []
    cluster.controller.on_stop(stopped.append)
    cluster.engine_set.on_stop(stopped.append)
    bare_profile.ipcluster("stop")
    deadline = time.monotonic() + 10
    while len(stopped) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [data["exit_code"] for data in stopped] == [0, 0]
    assert cluster.controller.poll() == 0
    cluster.stop_cluster_sync()
    bare_profile.assert_nothing_left()


def test_all_machines_boot_in_one_wave(profile: Profile) -> None:
    # contract 14: else the engines are asked for when the controller has booted
    output = profile.ipcluster("start", "-n", "9", "--daemonize")
    assert output.index("has accepted 3 machines") < output.index("The controller is running")
    profile.ipcluster("stop")


async def test_a_restart_keeps_the_machines(bare_profile: Profile, config: Config) -> None:
    # contract 19
    cluster = _cluster(bare_profile, config)
    await cluster.start_cluster(n=2)
    before = bare_profile.left_on_azure()["virtual_machines"]
    with await cluster.connect_client() as rc:
        processes = rc[:].apply_sync(os.getpid)
    await cluster.restart_engines()
    assert bare_profile.left_on_azure()["virtual_machines"] == before
    with await cluster.connect_client() as rc:
        rc.wait_for_engines(2, timeout=20, interactive=False)
        assert not set(rc[:].apply_sync(os.getpid)) & set(processes)
    await cluster.stop_cluster()
    bare_profile.assert_nothing_left()


@variant
async def test_a_restart_that_is_not_known_as_one_keeps_the_machines(
    bare_profile: Profile, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = _cluster(bare_profile, config)
    await cluster.start_cluster(n=1)
    before = bare_profile.left_on_azure()["virtual_machines"]
    rename_restart(monkeypatch)
    await cluster.renew_engines(next(iter(cluster.engines)))
    assert bare_profile.left_on_azure()["virtual_machines"] == before
    await cluster.stop_cluster()
    bare_profile.assert_nothing_left()
