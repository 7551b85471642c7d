"""Machines that are SSH servers in this process, by VM id."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from . import processes
from .machine import Machine
from .machine_interface import ListenIn, MachineSpec, Script, ScriptResult


class ProcessMachines:
    """Machines that are processes of this computer (--machines=process)."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "machines"
        self._package_cache = state_dir / "package-cache"
        self._machines: dict[str, Machine] = {}
        self._erasing: set[asyncio.Future[None]] = set()

    async def open(self, listen_in: ListenIn) -> str:
        return ""

    def prepare(self, spec: MachineSpec) -> None:
        """Take the addresses; that one can't be had is told when the machine boots."""
        machine = self._machines.get(spec.vm_id)
        if machine is None:
            directory = self._directory / spec.vm_id
            machine = self._machines[spec.vm_id] = Machine(spec, directory, self._package_cache)
        machine.spec = spec
        machine.take_addresses()

    async def boot(self, spec: MachineSpec) -> None:
        await self.halt([spec.vm_id])
        self.prepare(spec)
        machine = self._machines[spec.vm_id]
        try:
            await machine.boot()
        except BaseException:
            machine.power_off()
            raise
        if self._machines.get(spec.vm_id) is not machine:
            # Destroyed meanwhile: what was opened since must go too.
            machine.remove()
            await self._remove([spec.vm_id])

    def refresh(self) -> None:
        for machine in self._machines.values():
            machine.refresh()

    def _known(self, vm_ids: Sequence[str]) -> list[Machine]:
        return [self._machines[vm_id] for vm_id in vm_ids if vm_id in self._machines]

    async def lose_network(self, vm_ids: Sequence[str]) -> None:
        await asyncio.gather(*(machine.lose_network() for machine in self._known(vm_ids)))

    async def restore_network(self, vm_ids: Sequence[str]) -> None:
        await asyncio.gather(*(machine.restore_network() for machine in self._known(vm_ids)))

    async def crash(self, vm_ids: Sequence[str]) -> None:
        await asyncio.gather(*(machine.crash() for machine in self._known(vm_ids)))

    async def halt(self, vm_ids: Sequence[str]) -> None:
        running = [machine for machine in self._known(vm_ids) if machine.up]
        for machine in self._known(vm_ids):
            machine.power_off()
        if running:
            await asyncio.to_thread(processes.kill_machines, frozenset(vm_ids))

    async def run(self, vm_id: str, script: Script) -> ScriptResult:
        machine = self._machines.get(vm_id)
        return await machine.run(script) if machine else ScriptResult()

    def serial_log(self, vm_id: str) -> bytes | None:
        machine = self._machines.get(vm_id)
        return machine.serial_log() if machine else None

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        await self.halt(vm_ids)
        for vm_id in vm_ids:
            machine = self._machines.pop(vm_id, None)
            if machine:
                machine.remove()
        await self._remove(vm_ids)

    async def _remove(self, vm_ids: Sequence[str]) -> None:
        """Have their disks gone at once, as in Azure; tens of thousands of files take longer."""
        for vm_id in vm_ids:
            erased = self._directory / f".{vm_id}"
            with suppress(OSError):  # it never booted
                (self._directory / vm_id).rename(erased)
            erasing = asyncio.ensure_future(
                asyncio.to_thread(shutil.rmtree, erased, ignore_errors=True)
            )
            self._erasing.add(erasing)
            erasing.add_done_callback(self._erasing.discard)

    async def close(self) -> None:
        await self.destroy(list(self._machines))
        await asyncio.gather(*self._erasing)
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)
