"""What an emulator that runs for days keeps of operations that are over."""

from __future__ import annotations

import gc
import weakref

import pytest

from azure_emulator.base.clock import RealClock
from azure_emulator.compute import vm_lifecycle
from azure_emulator.rules import operations
from azure_emulator.rules.operations import Operations

from ..conftest import numbers


class Machine:
    """Stands for all that a piece of work has in its hands."""


@pytest.fixture
def ours() -> Operations:
    return Operations(RealClock(0.0), lambda: f"operation-{next(numbers)}", lambda: None)


async def test_one_that_failed_lets_go_of_what_it_worked_on(ours: Operations) -> None:
    seen: list[weakref.ref[Machine]] = []

    async def fail() -> None:
        machine = Machine()
        seen.append(weakref.ref(machine))
        raise vm_lifecycle.preempted()

    failed = [ours.start("Microsoft.Compute", "eastus", 0.0, fail) for _ in range(3)]
    for operation in failed:
        await operation.done.wait()
        assert operation.body()["error"]["code"] == "OperationPreempted"
    gc.collect()
    assert [reference() for reference in seen] == [None] * 3


async def test_only_the_last_ones_can_be_asked_for(
    ours: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "KEPT", 2)

    async def nothing() -> None:
        pass

    made = [ours.start("Microsoft.Compute", "eastus", 0.0, nothing) for _ in range(3)]
    assert [ours.find(operation.id) for operation in made] == [None, *made[1:]]
    for operation in made:
        await operation.done.wait()
