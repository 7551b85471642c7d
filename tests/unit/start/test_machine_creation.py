"""Machines of a set that Azure does not make: how many can be done without, and what is said."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.errors import (
    AzureLauncherError,
    BootTimeout,
    CapacityUnavailable,
    MachineFailed,
)
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.answers import MachineState
from ipcluster_azure.start import machine_creation
from ipcluster_azure.start.machine_creation import dispensable, machines_made, watch_machines

from ..record.test_record import _record


@pytest.mark.parametrize(
    ("counts", "min_engines", "missing"),
    [
        ([4, 4, 4], 0, 0),
        ([4, 4, 4], 12, 0),
        ([4, 4, 4], 9, 0),
        ([4, 4, 4], 8, 1),
        ([4, 4, 2], 8, 1),
        ([4, 4, 2], 4, 2),
        ([4, 4, 2], 1, 2),
    ],
)
def test_those_with_the_fewest_engines_can_be_missing(
    counts: list[int], min_engines: int, missing: int
) -> None:
    assert dispensable(counts, min_engines) == missing


class Azure:
    """Each look at the machines finds the next of `looks`; the last stays."""

    def __init__(self, *looks: dict[str, str]) -> None:
        self.looks = list(looks)
        self.refusal: AzureLauncherError | None = None

    def machines(self, scale_set_id: str) -> list[MachineState]:
        states = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return [
            MachineState(f"/vms/{name}", name, f"10.0.0.{name}", state)
            for name, state in states.items()
        ]

    def has_succeeded(self, url: str, doing: str) -> bool:
        if self.refusal is not None:
            raise self.refusal
        return False


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordFile:
    monkeypatch.setattr(machine_creation, "OPERATION_LOOK_S", 0.2)
    monkeypatch.setattr(machine_creation, "WHY_LOOK_S", 0.05)
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    record = _record()
    record.engine_sets["s"].operation = "https://operation"
    file.create(record)
    return file


async def _made(
    azure: Any, file: RecordFile, spare: int, limit_s: float = 30
) -> machine_creation.Fleet:
    deadline = asyncio.get_running_loop().time() + limit_s
    making = machines_made(
        azure, file, "s", 3, dispensable=spare, deadline=deadline, on_progress=lambda n: None
    )
    return await asyncio.wait_for(making, 20)


GOOD = {"1": "Creating", "2": "Creating", "3": "Succeeded"}
ONE_FAILED = {"1": "Creating", "2": "Failed", "3": "Creating"}


async def test_all_are_waited_for(file: RecordFile) -> None:
    found = await _made(Azure({}, {"1": "Creating"}, GOOD), file, 0)
    assert [machine.name for machine in found.ready] == ["1", "2", "3"]
    assert not found.failures


async def test_one_too_many_fails_at_once_with_azures_reason(file: RecordFile) -> None:
    azure = Azure({"1": "Creating", "2": "Failed"})
    azure.refusal = CapacityUnavailable("no room")
    with pytest.raises(CapacityUnavailable, match="no room"):
        await _made(azure, file, 0)


async def test_without_a_reason_the_machine_is_named(file: RecordFile) -> None:
    with pytest.raises(MachineFailed, match="at creating 2 and gave no reason"):
        await _made(Azure(ONE_FAILED), file, 0)


async def test_one_can_be_done_without(file: RecordFile) -> None:
    azure = Azure({"1": "Creating", "2": "Failed"}, ONE_FAILED)
    azure.refusal = CapacityUnavailable("no room")
    found = await _made(azure, file, 1)
    assert [machine.name for machine in found.ready] == ["1", "3"]
    assert found.failures == {"2": azure.refusal}


async def test_what_azure_never_made_is_counted(file: RecordFile) -> None:
    azure = Azure({"1": "Succeeded", "2": "Succeeded"})
    azure.refusal = CapacityUnavailable("no room")
    found = await _made(azure, file, 1)
    assert len(found.ready) == 2
    assert found.failures == {"1 of the machines": azure.refusal}
    with pytest.raises(CapacityUnavailable):
        await _made(azure, file, 0)


async def test_too_late(file: RecordFile) -> None:
    azure = Azure({"1": "Succeeded", "2": "Succeeded"})
    found = await _made(azure, file, 1, limit_s=0.3)
    assert isinstance(found.failures["1 of the machines"], BootTimeout)
    with pytest.raises(BootTimeout, match="Only 2 of 3 machines exist"):
        await _made(azure, file, 0, limit_s=0.3)


async def test_a_machine_that_fails_while_it_boots_is_told_of(file: RecordFile) -> None:
    azure, told = Azure(ONE_FAILED), []
    azure.refusal = MachineFailed("gave up")
    watching = asyncio.ensure_future(
        watch_machines(
            azure,  # type: ignore[arg-type]
            file,
            "s",
            dispensable=1,
            on_failed=lambda machine, why: told.append((machine.name, why)),
        )
    )
    await asyncio.sleep(0.8)
    assert told == [("2", azure.refusal)]
    watching.cancel()
    with pytest.raises(MachineFailed, match="gave up"):
        await watch_machines(
            azure,  # type: ignore[arg-type]
            file,
            "s",
            dispensable=0,
            on_failed=lambda machine, why: None,
        )
