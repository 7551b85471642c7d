"""Real machines' host: what happens to one machine happens in turn, whoever asks for it."""

import asyncio
from pathlib import Path

import pytest

from azure_emulator.guest.machine_interface import MachineSpec, Script
from azure_emulator.nspawn.container import Container
from azure_emulator.nspawn.machines import NspawnMachines
from azure_emulator.nspawn.programs import ProgramFailed

from .test_disk import SPEC


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NspawnMachines:
    """One machine, that is off, on a network that knows whether it is there."""
    made = NspawnMachines(tmp_path)
    there = {SPEC.vm_id}

    async def detach(spec: MachineSpec) -> None:
        await asyncio.sleep(0.01)
        there.discard(spec.vm_id)

    async def lose(spec: MachineSpec) -> None:
        if spec.vm_id not in there:
            raise ProgramFailed("there is no such namespace")

    monkeypatch.setattr(made.network, "detach", detach)
    monkeypatch.setattr(made.network, "lose", lose)
    made._containers[SPEC.vm_id] = Container(SPEC, tmp_path / "machines/vm", (tmp_path,), "ns")
    return made


async def test_a_machine_that_is_being_deleted_can_lose_its_network(
    machines: NspawnMachines,
) -> None:
    deleting = asyncio.ensure_future(machines.destroy([SPEC.vm_id]))
    await asyncio.sleep(0)
    await asyncio.gather(deleting, machines.lose_network([SPEC.vm_id]))
    await machines.crash([SPEC.vm_id])


@pytest.mark.parametrize("end", ["halt", "destroy"])
async def test_who_waits_for_a_first_boot_is_told_that_there_will_be_none(
    machines: NspawnMachines, end: str
) -> None:
    health = machines.platform.health(SPEC.vm_id)
    await getattr(machines, end)([SPEC.vm_id])
    await asyncio.wait_for(health.told.wait(), 1)
    assert health.problem == ""


async def test_nothing_runs_on_a_machine_that_is_off(machines: NspawnMachines) -> None:
    result = await machines.run(SPEC.vm_id, Script("echo here"))
    assert (result.status, result.output) == (0, b"")
