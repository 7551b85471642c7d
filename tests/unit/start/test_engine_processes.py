"""Engines of several machines: what goes on at once, and what one machine's failure means."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.errors import BootstrapFailed, BootTimeout, ClusterStopped, MachineFailed
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.contents import DELETING, Machine
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.ssh.bundle import Bundle
from ipcluster_azure.start import engine_processes
from ipcluster_azure.start.booting import BootingMachines
from ipcluster_azure.start.engine_processes import (
    EngineKit,
    Started,
    start_engine_processes,
)
from ipcluster_azure.start.enough import Enough
from ipcluster_azure.start.request import StartContext

from ..record.test_record import _record

MACHINES = [Machine("a", "10.0.0.4", 2), Machine("b", "10.0.0.5", 1)]
GATE: Any = object()


class Ssh:
    """Stands in for the machines: those in `answering` answer, and what is done is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answering = [machine.address for machine in MACHINES]
        self.log: list[str] = []
        self.ready: dict[str, Any] = {}  # what the machine's last event has besides
        monkeypatch.setattr(engine_processes, "connect", self.connect)
        monkeypatch.setattr(engine_processes.bootstrap, "see_booted", self.see_booted)
        monkeypatch.setattr(engine_processes.bootstrap, "start_engines", self.start_engines)

    async def see_booted(
        self, gate: Any, *_: Any, timeout_s: float, on_answer: Callable[[str], None]
    ) -> None:
        assert gate is GATE
        for address in self.answering:
            on_answer(address)

    async def connect(self, target: Any, *, timeout_s: float, through: Any) -> Any:
        assert through is GATE
        self.log.append(f"login {target.name}")

        @asynccontextmanager
        async def connection() -> Any:
            yield target.name

        return connection()

    async def start_engines(
        self, name: str, *_: Any, count: int, on_registered: Callable[[int], None], **__: Any
    ) -> dict[str, Any]:
        self.log.append(f"start {name}")
        on_registered(count)
        return {"event": "ready", "warnings": [], **self.ready.get(name, {})}

    async def has_logged(self, *lines: str) -> None:
        for _ in range(500):
            if set(lines) <= set(self.log):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.log)


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch) -> Ssh:
    return Ssh(monkeypatch)


@pytest.fixture
def context(tmp_path: Path) -> StartContext:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(_record())
    return StartContext(file, Progress(logging.getLogger("test")))


def _booting(timeout_s: float = 20.0) -> BootingMachines:
    return BootingMachines(MACHINES, asyncio.get_running_loop().time() + timeout_s)


async def _start(context: StartContext, booting: BootingMachines, kit: Any) -> Started:
    work = start_engine_processes(context, "s", booting, GATE, kit)
    return await asyncio.wait_for(work, 20)


async def _kit() -> EngineKit:
    return EngineKit(_record(), Bundle(b"", "0"), b"", ())


async def test_machines_are_logged_in_to_while_the_controller_is_being_set_up(
    ssh: Ssh, context: StartContext
) -> None:
    running = asyncio.Event()

    async def kit() -> EngineKit:
        await running.wait()
        return await _kit()

    starting = asyncio.ensure_future(_start(context, _booting(), kit()))
    await ssh.has_logged("login a", "login b")
    assert ssh.log == ["login a", "login b"]
    running.set()
    assert (await starting).registered == {"a": 2, "b": 1}
    assert ssh.log[2:] == ["start a", "start b"]


async def test_one_that_does_not_boot_in_time_is_said_and_the_others_run(
    ssh: Ssh, context: StartContext
) -> None:
    ssh.answering = ["10.0.0.5"]
    started = await _start(context, _booting(0.3), _kit())
    assert started.registered == {"b": 1}
    assert list(started.failures) == ["a"]
    assert isinstance(started.failures["a"], BootTimeout)
    assert "a did not answer over SSH at 10.0.0.4:22" in str(started.failures["a"])


async def test_one_that_is_given_up_is_not_waited_for(ssh: Ssh, context: StartContext) -> None:
    ssh.answering = ["10.0.0.5"]
    booting, why = _booting(), MachineFailed("gave up")
    starting = asyncio.ensure_future(_start(context, booting, _kit()))
    await ssh.has_logged("start b")
    booting.give_up("10.0.0.5", why)  # too late
    booting.give_up("10.9.9.9", why)  # none of these
    booting.give_up("10.0.0.4", why)
    assert await starting == Started({"b": 1}, {"a": why})


async def test_enough_engines_are_not_held_up_by_the_others(
    ssh: Ssh, context: StartContext
) -> None:
    ssh.answering = ["10.0.0.4"]
    done: list[str] = []
    started = await asyncio.wait_for(
        start_engine_processes(
            context,
            "s",
            _booting(),
            GATE,
            _kit(),
            enough=Enough(ready=2, required=3),
            on_done=lambda machine: done.append(machine.name),
        ),
        5,
    )
    assert started == Started({"a": 2}, {}, {}, {"b"})
    assert done == ["a"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    ("ready", "required", "registered", "failed", "met"),
    [
        (0, 4, 4, 0, False),  # all are waited for
        (2, 4, 1, 0, False),
        (2, 4, 2, 0, True),
        (2, 4, 3, 1, False),  # the start fails, as it would without ready_engines
        (2, 3, 3, 1, True),
    ],
)
def test_when_engines_are_enough(
    ready: int, required: int, registered: int, failed: int, met: bool
) -> None:
    assert Enough(ready, required).is_met(registered, failed, total=4) == met


async def test_what_went_wrong_in_the_preparation_is_counted(
    ssh: Ssh, context: StartContext
) -> None:
    ssh.ready = {"a": {"faults": {"x": [0, 1], "y": [1]}}, "b": {"faults": {"x": [0]}}}
    assert (await _start(context, _booting(), _kit())).faults == {"x": 3, "y": 1}


@pytest.mark.usefixtures("ssh")
async def test_what_the_controller_fails_with_ends_the_start(context: StartContext) -> None:
    async def kit() -> EngineKit:
        raise BootstrapFailed("no controller")

    with pytest.raises(BootstrapFailed, match="no controller"):
        await _start(context, _booting(), kit())
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.usefixtures("ssh")
async def test_a_stop_just_before_leaves_no_task_whose_failure_is_printed_later(
    context: StartContext,
) -> None:
    context.file.erase()
    with pytest.raises(ClusterStopped):
        await _start(context, _booting(), asyncio.sleep(3600))
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.usefixtures("ssh")
async def test_engines_that_are_stopped_meanwhile_do_not_count(context: StartContext) -> None:
    async def kit() -> EngineKit:
        with context.file.edit() as record:
            record.engine_sets["s"].state = DELETING
        return await _kit()

    with pytest.raises(ClusterStopped, match="engines were stopped"):
        await _start(context, _booting(), kit())


async def test_machines_that_are_alike_are_doubted_once(
    context: StartContext, ssh: Ssh, caplog: pytest.LogCaptureFixture
) -> None:
    ssh.ready = {name: {"warnings": ["The image has numpy 1.26.4"]} for name in ("a", "b")}
    await _start(context, _booting(), _kit())
    assert caplog.messages.count("The image has numpy 1.26.4") == 1
