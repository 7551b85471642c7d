import asyncio
import json
import shutil
import stat
import subprocess
import sys
import threading
import time
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ipcluster_azure.endpoint import RecordCore
from ipcluster_azure.errors import (
    AzureLauncherError,
    ClusterStopped,
    RecordDamaged,
    RecordOfOtherVersion,
)
from ipcluster_azure.private_files import write_private
from ipcluster_azure.record import file as record_file
from ipcluster_azure.record.abort import edited, edited_set
from ipcluster_azure.record.contents import (
    CREATING,
    DELETING,
    FORMAT,
    KEPT,
    READY,
    Controller,
    Endpoint,
    EngineSet,
    Machine,
    Record,
    Tunnel,
)
from ipcluster_azure.record.environment import Environment
from ipcluster_azure.record.file import RecordFile, held, read_core
from ipcluster_azure.record.user_files import Preparation

from ..conftest import Clock
from ..plans import CLUSTER


def _record() -> Record:
    return Record(
        cluster_id="c1",
        created="2026-11-21T12:00:00+00:00",
        endpoint=Endpoint("https://management.azure.com", "https://management.azure.com"),
        plan=CLUSTER,
        environment=Environment("minimal", "python3", "3.11", "9.2.0"),
        controller=Controller(host="203.0.113.9", args=["--x"], variables={"A": "b"}),
        engine_sets={"s": EngineSet("id", 3, 4, 4, "key", machines=[Machine("m", "10.0.0.4", 3)])},
        resources=["a", "b"],
        tunnels={"control": Tunnel(1, 2)},
    )


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    return RecordFile.of(str(tmp_path / "profile_azure"), "c1")


def test_a_record_survives_the_disk(file: RecordFile) -> None:
    assert file.read() is None
    file.create(_record())
    assert file.read() == _record()


def test_files_are_the_users_alone(file: RecordFile) -> None:
    file.create(_record())
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_names_match_none_of_ipyparallels_patterns(file: RecordFile) -> None:
    for path in (file.path, file.key_file, file.client_file):
        assert not path.match("cluster-*.json")
        assert not path.match("ipcontroller-*.json")


def test_edits_are_kept_and_failed_ones_are_not(file: RecordFile) -> None:
    file.create(_record())
    with file.edit() as record:
        record.controller.state = "ready"
    with pytest.raises(ZeroDivisionError), file.edit() as record:
        record.controller.pid = 1 // 0
    assert file.require().controller.state == "ready"


@pytest.mark.parametrize(
    "other",
    [
        {"format": 99},
        {"format": 0},
        {"surprise": True},
        {"format": 2, "engine_sets": 5, "controller": None},
    ],
    ids=["format", "older", "member", "other shape"],
)
def test_of_a_record_from_another_version_the_core_is_read(
    file: RecordFile, other: dict[str, object]
) -> None:
    file.create(_record())
    file.path.write_text(json.dumps(json.loads(file.path.read_text()) | other))
    with pytest.raises(RecordOfOtherVersion, match=r"another version.*ipcluster stop") as caught:
        file.read()
    assert caught.value.core == _record().core == read_core(file.path)


@pytest.mark.parametrize("part", ["endpoint", "plan", "controller", "limits", "environment"])
def test_nothing_that_is_unknown_is_passed_over(file: RecordFile, part: str) -> None:
    file.create(_record())
    data = json.loads(file.path.read_text())
    data[part]["surprise"] = 1
    file.path.write_text(json.dumps(data))
    with pytest.raises(RecordOfOtherVersion, match="has no surprise"):
        file.read()


GOLDEN = sorted((Path(__file__).parents[2] / "golden").glob("record-*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_records_of_earlier_releases_stay_readable(path: Path) -> None:
    record = RecordFile(path).require()
    assert record.core == RecordCore(
        endpoint=Endpoint("https://management.azure.com", "https://management.azure.com"),
        subscription_id="00000000-1111-2222-3333-444444444444",
        resource_group="ipp-azure-0a1b2c3d",
        owns_resource_group=True,
        cluster="ipp-azure-0a1b2c3d",
    )
    assert record.controller.state == record.engine_sets["1732190000"].state == "ready"
    assert len(record.resources) == 6
    assert Record.from_data(json.loads(record.to_json())) == record


def test_what_older_records_lack_is_as_if_it_was_never_wanted(file: RecordFile) -> None:
    file.create(_record())
    data = json.loads(file.path.read_text())
    for part in ("limits", "link_pid", "ended_because", "secret_files"):
        del data[part]
    data["controller"] = {}
    for part in ("boot_timeout_s", "lost_engines", "args", "variables", "operation"):
        del data["engine_sets"]["s"][part]
    file.path.write_text(json.dumps(data))
    record = file.require()
    limits = record.limits
    assert (limits.max_lifetime_h, limits.idle_timeout_min, limits.self_deletion) == (0, 0, False)
    assert (record.controller.network_ready, record.controller.pid) == (False, 0)
    assert (record.link_pid, record.ended_because, record.secret_files) == (0, "", [])
    engine_set = record.engine_sets["s"]
    assert (engine_set.boot_timeout_s, engine_set.lost_engines) == (600, 0)
    assert record.controller.state == CREATING


@pytest.mark.parametrize("value", [False, None, 0, 1, "true"])
def test_only_what_is_surely_ours_is_deleted_whole(value: object) -> None:
    data = json.loads(_record().to_json())
    data["plan"]["owns_resource_group"] = value
    assert RecordCore.from_data(data).owns_resource_group is False


def test_where_a_cluster_is_never_changes() -> None:
    core = _record().core
    with pytest.raises(FrozenInstanceError):
        core.resource_group = "x"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        core.endpoint.url = "x"  # type: ignore[misc]


@pytest.mark.parametrize("state", [CREATING, READY, KEPT, DELETING])
def test_only_a_cluster_that_is_being_deleted_is(file: RecordFile, state: str) -> None:
    file.create(replace(_record(), state=state))
    assert file.require().deleting is (state == DELETING)


def test_there_is_a_golden_record_of_this_format() -> None:
    assert f"record-{FORMAT}.json" in [path.name for path in GOLDEN]


def _cut(text: str, share: float) -> str:
    return text[: int(len(text) * share)]


DAMAGED = ["", "{", "[]", "null", "{}", '{"format": 1}', '{"format": 1, "x": 2}', "\udcff"]
DAMAGED += [_cut(_record().to_json(), share) for share in (0.1, 0.5, 0.99)]
WHOLE = json.loads(_record().to_json())
DAMAGED += [json.dumps({**WHOLE, part: None}) for part in ("plan", "endpoint")]
DAMAGED += [json.dumps({**WHOLE, "plan": {**WHOLE["plan"], "resource_group": 7}})]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_record_is_said_to_be_so(file: RecordFile, text: str) -> None:
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecordDamaged, match=r"is damaged.*`ipcluster-azure reap`"):
        file.read()
    with pytest.raises(RecordDamaged):
        read_core(file.path)


def test_of_a_missing_record_it_is_said_what_to_type(file: RecordFile) -> None:
    nothing = "There is no cluster on record in profile azure with id 'c1' (any more)."
    with pytest.raises(ClusterStopped) as raised:
        file.require()
    assert str(raised.value) == (
        f"{nothing} `ipcluster start -n 4 --profile=azure --cluster-id=c1` starts one; "
        "`ipcluster-azure list` shows all there are."
    )
    for other in ("c3", "c2"):
        RecordFile(file.path.with_name(f"azure-{other}.json")).create(_record())
    assert file.absent() == f"{nothing} On record: 'c2', 'c3'. Add `--cluster-id=c2` for the first."
    RecordFile(file.path.with_name("azure-.json")).create(_record())
    assert file.absent() == (
        f"{nothing} On record: '', 'c2', 'c3'. Leave out `--cluster-id` for the first."
    )


def test_retiring_frees_the_name_and_removes_the_keys(file: RecordFile) -> None:
    file.create(_record())
    for companion in (file.key_file, file.public_key_file, file.client_file):
        write_private(companion, "secret")
    file.retire()
    assert file.read() is None
    assert [path.name for path in file.retired()] == [f"{CLUSTER.names.base}.json"]
    left = {path.name for path in file.path.parent.iterdir()}
    assert left == {"azure_deleting", ".azure.lock"}


def test_a_name_may_be_retired_and_erased_again_and_again(file: RecordFile) -> None:
    for base in ("ipp-azure-1", "ipp-azure-2"):
        plan = replace(CLUSTER, names=replace(CLUSTER.names, base=base))
        file.create(replace(_record(), plan=plan))
        file.retire()
    assert stat.S_IMODE(file.retired_dir.stat().st_mode) == 0o700
    assert [path.stem for path in file.retired()] == ["ipp-azure-1", "ipp-azure-2"]
    for _ in range(2):
        file.erase()
        file.remove_teardown_lock()
    assert {path.name for path in file.path.parent.iterdir()} == {"azure_deleting", ".azure.lock"}


@pytest.mark.parametrize(("cluster_id", "name"), [("c1", "ipcontroller-c1"), ("", "ipcontroller")])
def test_secrets_go_with_the_cluster_and_the_profile_stays(
    tmp_path: Path, cluster_id: str, name: str
) -> None:
    file = RecordFile.of(str(tmp_path), cluster_id)
    file.create(replace(_record(), cluster_id=cluster_id))
    security = tmp_path / "security"
    secrets = [security / f"{name}-{kind}.json" for kind in ("client", "engine")]
    jobs = ("azure_controller", "azure_engineset")
    secrets += [tmp_path / f"{job}-{cluster_id}.parameters.json" for job in jobs]
    secrets += [security / f"azure-{cluster_id}.{kind}" for kind in ("key", "pub", "client")]
    secrets.append(security / f"cluster-{cluster_id}.json")
    others = [security / "ipcontroller-other-client.json", tmp_path / "ipcluster_config.py"]
    for path in (*secrets, *others):
        write_private(path, "text")
    file.erase()
    assert not [path for path in secrets if path.exists()]
    assert all(path.exists() for path in others)


def test_logs_are_found_by_their_machines_set(tmp_path: Path) -> None:
    file, other = (RecordFile.of(str(tmp_path), name) for name in ("*", "c"))
    controller = file.log_path("", "controller")
    engines = [file.log_path("17", machine) for machine in ("m_0", "m_1")]
    for path in (controller, *engines, file.log_path("18", "m_0"), other.log_path("17", "m_0")):
        file.add_to_log(path, "text")
    assert controller == tmp_path / "log" / "azure-*-ipcontroller-controller.log"
    assert file.log_paths("") == [controller]
    assert file.log_paths("17") == engines == sorted(engines)


async def test_what_is_gone_with_its_profile_is_not_made_anew(file: RecordFile) -> None:
    """An empty profile would let the next `ipcluster start` run local engines."""
    file.create(_record())
    shutil.rmtree(file.profile_dir)
    with pytest.raises(ClusterStopped, match="is gone"), file.edit():
        pass
    with pytest.raises(ClusterStopped, match="is gone"):
        file.retire()
    for lock in (file.teardown_lock(), file.bootstrap_lock()):
        async with held(lock):
            assert not lock.is_locked
    file.add_to_log(file.log_path("", "controller"), "text")
    file.erase()
    file.forget_logs()
    assert not file.profile_dir.exists()


async def test_a_lock_is_waited_for_without_blocking_others(file: RecordFile, clock: Clock) -> None:
    file.create(_record())
    for lock, same in (
        (file.teardown_lock(), file.teardown_lock()),
        (file.bootstrap_lock(), file.bootstrap_lock()),
    ):
        await _wait_for(lock, same, clock)


async def _wait_for(lock: Any, same: Any, clock: Clock) -> None:
    lock.acquire(timeout=0)
    entered = asyncio.Event()

    async def enter() -> None:
        async with held(same):
            entered.set()
            raise ZeroDivisionError

    entering, began_s = asyncio.ensure_future(enter()), time.monotonic()
    for _ in range(8):
        await asyncio.sleep(0.05)
    assert time.monotonic() - began_s < 5  # eight looks, none of which blocks
    assert not entered.is_set()
    assert set(clock.pauses_s) == {0.05}
    lock.release()
    with pytest.raises(ZeroDivisionError):
        await entering
    lock.acquire(timeout=0)  # released in spite of that
    lock.release()


def test_a_lock_whose_holder_never_goes_on_is_taken_over(file: RecordFile) -> None:
    """A signal at the interpreter's exit ends a loop; what waits in it is never closed."""
    file.create(_record())

    async def hold(entered: list[str], name: str) -> None:
        async with held(file.teardown_lock()):
            entered.append(name)
            await asyncio.sleep(60 if name == "first" else 0)

    entered: list[str] = []
    left = asyncio.new_event_loop()
    waiting = left.create_task(hold(entered, "first"))
    left.run_until_complete(asyncio.sleep(0.1))
    asyncio.run(asyncio.wait_for(hold(entered, "second"), 10))
    assert entered == ["first", "second"]
    waiting.cancel()
    left.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    left.close()
    asyncio.run(asyncio.wait_for(hold(entered, "third"), 10))


def test_logs_of_an_earlier_cluster_are_forgotten(file: RecordFile) -> None:
    other = RecordFile.of(str(file.profile_dir), "c2")
    file.link_log.parent.mkdir(parents=True)
    gone = [
        file.log_path("", "controller"),
        file.log_path("1732", "m_1"),
        file.log_path("1733", "x"),
    ]
    kept = [other.log_path("1732", "m_1"), file.link_log, file.link_log.with_name("ipengine-1.log")]
    for path in (*gone, *kept):
        path.write_text("")
    file.forget_logs()
    assert set(file.link_log.parent.iterdir()) == set(kept)


def test_what_a_killed_write_left_goes_with_the_cluster(file: RecordFile) -> None:
    file.create(_record())
    folder = file.path.parent
    for path in (file.path, file.key_file, file.client_file, folder / "cluster-c1.json"):
        (folder / f".{path.name}.a1b2c3d4").write_text("half")
    others = folder / ".azure-c1-too.json.a1b2c3d4"
    others.write_text("another cluster's")
    file.erase()
    assert {path.name for path in folder.iterdir()} == {".azure.lock", others.name}


def test_an_edit_does_not_bring_an_erased_record_back(file: RecordFile) -> None:
    file.create(_record())
    thread = threading.Thread(target=file.erase)
    with file.edit() as record:
        thread.start()
        thread.join(0.3)
        record.controller.pid = 7
    thread.join()
    assert file.read() is None
    with pytest.raises(ClusterStopped, match="no cluster on record"), file.edit():
        pass


EDITING = """
import sys
from pathlib import Path
from ipcluster_azure.record.file import RecordFile

for index in range(20):
    with RecordFile(Path(sys.argv[1])).edit() as record:
        record.resources.append(f"{sys.argv[2]}{index}")
"""


def test_no_edit_of_several_processes_is_lost(file: RecordFile) -> None:
    file.create(_record())
    command = [sys.executable, "-c", EDITING, str(file.path)]
    processes = [subprocess.Popen([*command, name]) for name in "xy"]
    assert [process.wait(30) for process in processes] == [0, 0]
    assert len(file.require().resources) == 2 + 2 * 20


def test_a_lock_that_another_process_keeps_is_named(
    file: RecordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.create(_record())
    monkeypatch.setattr(record_file, "LOCK_TIMEOUT_S", 0.1)
    with (
        FileLock(file.path.parent / ".azure.lock"),
        pytest.raises(AzureLauncherError, match=r"\.azure\.lock has been held by another process"),
        file.edit(),
    ):
        raise AssertionError


@pytest.mark.parametrize("stopped", ["deleting", "gone"])
def test_a_start_changes_nothing_once_the_cluster_is_stopped(
    file: RecordFile, stopped: str
) -> None:
    file.create(_record())
    with edited(file) as record:
        record.controller.pid = 7
    with file.edit() as record:
        record.state = DELETING
    if stopped == "gone":
        file.erase()
    before = file.read()
    with pytest.raises(ClusterStopped), edited(file) as record:
        record.controller.pid = 8
    with pytest.raises(ClusterStopped), edited_set(file, "s") as engine_set:
        engine_set.n = 8
    assert file.read() == before
    assert before is None or before.controller.pid == 7


def test_the_profile_of_a_record(tmp_path: Path) -> None:
    assert RecordFile.of(str(tmp_path / "profile_a_profile_b"), "c1").profile == "a_profile_b"
    assert RecordFile.of(str(tmp_path / "elsewhere"), "").profile == "elsewhere"


async def test_who_holds_a_lock_is_remembered_as_long_as_it_is_held(file: RecordFile) -> None:
    file.create(_record())
    lock = file.teardown_lock()
    async with held(lock):
        assert record_file._holders[lock.lock_file][0] is lock
    assert lock.lock_file not in record_file._holders
    async with held(lock):  # another has taken it over, since this one's loop had stopped
        other = file.teardown_lock(), asyncio.get_running_loop()
        record_file._holders[lock.lock_file] = other
    assert record_file._holders.pop(lock.lock_file) == other


async def test_no_lock_file_of_a_cluster_outlives_it(file: RecordFile) -> None:
    file.create(_record())
    async with held(file.teardown_lock()):
        async with held(file.bootstrap_lock()):
            assert file._bootstrap_lock.exists()
        file.erase()
    file.remove_teardown_lock()
    assert [path.name for path in file.path.parent.iterdir()] == [".azure.lock"]


def test_files_that_engines_run_are_pairs_again_when_they_are_read() -> None:
    record = _record()
    files = [("~/a.py", "/home/me/a.py")]
    record.preparation = Preparation("key", files)
    record.engine_sets["s"].files = files
    read = Record.from_data(json.loads(record.to_json()))
    assert read == record
    assert read.preparation.files == read.engine_sets["s"].files == files
