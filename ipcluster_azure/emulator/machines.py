"""What a virtual machine is made of. The rest of the emulator knows only this interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .clock import Clock


@dataclass(frozen=True)
class MachineSpec:
    """admits(peer address): whether the security groups let it in to the public address.

    outbound: whether it has a way out to the internet.
    """

    vm_id: str
    name: str
    host_name: str
    admin_username: str
    public_keys: tuple[str, ...]
    password: str | None = field(repr=False)
    custom_data: bytes = field(repr=False)
    private_address: str
    public_address: str | None
    outbound: bool
    ssh_port: int
    admits: Callable[[str], bool] = field(repr=False)


class MachineHost(Protocol):
    """Where machines live. All of it is safe to repeat."""

    async def boot(self, spec: MachineSpec) -> None:
        """The machine answers when this returns; raises ArmError if it can't be."""

    async def halt(self, vm_ids: Sequence[str]) -> None:
        """All their processes are dead when this returns; files stay."""

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        """As halt, and the files are gone."""

    async def close(self) -> None:
        """Destroy every machine."""


class NoMachines:
    """--machines=none: ARM alone, for thousands of VMs."""

    async def boot(self, spec: MachineSpec) -> None:
        pass

    async def halt(self, vm_ids: Sequence[str]) -> None:
        pass

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        pass

    async def close(self) -> None:
        pass


class AccountedMachines:
    """Another host's machines, for whose work a virtual clock waits."""

    def __init__(self, host: MachineHost, clock: Clock) -> None:
        self._host = host
        self._clock = clock

    async def boot(self, spec: MachineSpec) -> None:
        with self._clock.working():
            await self._host.boot(spec)

    async def halt(self, vm_ids: Sequence[str]) -> None:
        with self._clock.working():
            await self._host.halt(vm_ids)

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        with self._clock.working():
            await self._host.destroy(vm_ids)

    async def close(self) -> None:
        await self._host.close()
