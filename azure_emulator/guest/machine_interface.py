"""What a virtual machine is made of. The rest of the emulator knows only this interface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..base.clock import Clock


@dataclass(frozen=True)
class SecurityRule:
    """A security rule; sources and destinations: prefixes, or Azure's words such as Internet."""

    inbound: bool
    protocol: str  # in lower case; * for any
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    ports: tuple[str, ...]  # of the destination: "22", "1000-2000", "*"
    allows: bool


@dataclass(frozen=True)
class Position:
    """Where an interface is.

    inside: the prefixes of its virtual network and of what is peered with it; groups: the rules of
    each security group that applies, in the order in which they are tried.
    """

    network_id: str
    subnet: str
    inside: tuple[str, ...]
    groups: tuple[tuple[SecurityRule, ...], ...]


class MachineNetwork(Protocol):
    """What the virtual network says about a machine; asked anew each time, for it may change."""

    def public_address(self) -> str | None:
        """Return the public address of the machine's interface, if it has one now."""

    def admits(self, peer: str, address: str) -> bool:
        """Return whether a connection from `peer` reaches the SSH port of `address`."""

    def lets_out(self, address: str, port: int) -> bool:
        """Return whether the security groups let the machine connect there."""

    def has_way_out(self) -> bool:
        """Return whether the machine reaches the internet."""

    def is_near(self, address: str) -> bool:
        """Return whether connections there come from the private and not the public address."""

    def position(self) -> Position | None:
        """Return the machine's place and all that is to be known to filter its packets."""


@dataclass(frozen=True)
class Defects:
    """What is wrong with a machine from its first boot on.

    disk_mb: all that its disk has room for, 0: enough.
    """

    no_ssh: bool = False
    wrong_host_key: bool = False
    disk_mb: int = 0


@dataclass(frozen=True)
class MachineSpec:
    """What a machine is made of; metadata_url: what http://169.254.169.254 is on Azure."""

    vm_id: str
    name: str
    admin_username: str
    public_keys: tuple[str, ...]
    password: str | None = field(repr=False)
    custom_data: bytes = field(repr=False)
    private_address: str
    ssh_port: int
    network: MachineNetwork = field(repr=False)
    metadata_url: str = field(default="", repr=False)
    host_name: str = ""
    mac_address: str = ""  # as Azure writes it: 00-0D-3A-01-02-03
    defects: Defects = Defects()

    @property
    def outbound(self) -> bool:
        return self.network.has_way_out()

    @property
    def addresses(self) -> tuple[str, ...]:
        public = self.network.public_address()
        return (self.private_address, public) if public else (self.private_address,)


@dataclass(frozen=True)
class Script:
    """A shell script to be run as root, or as `user`; timeout_s: after that it is killed."""

    text: str = field(repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    timeout_s: float | None = None


@dataclass(frozen=True)
class ScriptResult:
    """What became of a script: its exit status and what it wrote; mistakes: its standard error."""

    status: int = 0
    output: bytes = b""
    mistakes: bytes = b""
    timed_out: bool = False


ListenIn = Callable[[str], Awaitable[asyncio.Server]]


class MachineHost(Protocol):
    """Where machines live. All of it is safe to repeat."""

    async def open(self, listen_in: ListenIn) -> str:
        """Make what all machines share; called once, before all else.

        `listen_in` has the emulator's endpoint be at its address in a network namespace, too.
        Returns the network namespace of a user's computer: empty if it is this process's own.
        Raises OSError if this computer can't have such machines.
        """

    def prepare(self, spec: MachineSpec) -> None:
        """Take the machine's addresses; nothing answers there yet."""

    async def boot(self, spec: MachineSpec) -> None:
        """Boot the machine, which answers when this returns; raises ArmError if it can't."""

    def refresh(self) -> None:
        """Take note that networks have changed: addresses, and who may come in."""

    async def lose_network(self, vm_ids: Sequence[str]) -> None:
        """Let no packet reach or leave the machines; everything in them goes on running."""

    async def restore_network(self, vm_ids: Sequence[str]) -> None:
        """Let packets through again: connections go on where the other end has not given up."""

    async def crash(self, vm_ids: Sequence[str]) -> None:
        """Kill all processes of the machines without telling anybody outside; files stay."""

    async def halt(self, vm_ids: Sequence[str]) -> None:
        """Kill all processes of the machines, which are dead when this returns; files stay."""

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        """Halt the machines and delete their files."""

    async def run(self, vm_id: str, script: Script) -> ScriptResult:
        """Run a script; one that is cancelled is killed, and of a halted machine nothing runs."""

    def serial_log(self, vm_id: str) -> bytes | None:
        """Return what the machine has printed to its serial port; None if it never booted."""

    async def close(self) -> None:
        """Destroy every machine."""


class NoMachines:
    """No machines at all (--machines=none): ARM alone, for thousands of VMs."""

    async def open(self, listen_in: ListenIn) -> str:
        return ""

    def prepare(self, spec: MachineSpec) -> None:
        pass

    async def boot(self, spec: MachineSpec) -> None:
        pass

    def refresh(self) -> None:
        pass

    async def lose_network(self, vm_ids: Sequence[str]) -> None:
        pass

    async def restore_network(self, vm_ids: Sequence[str]) -> None:
        pass

    async def crash(self, vm_ids: Sequence[str]) -> None:
        pass

    async def halt(self, vm_ids: Sequence[str]) -> None:
        pass

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        pass

    async def run(self, vm_id: str, script: Script) -> ScriptResult:
        return ScriptResult()

    def serial_log(self, vm_id: str) -> bytes | None:
        return None

    async def close(self) -> None:
        pass


class AccountedMachines:
    """Another host's machines, for whose work a virtual clock waits."""

    def __init__(self, host: MachineHost, clock: Clock) -> None:
        self._host = host
        self._clock = clock

    async def open(self, listen_in: ListenIn) -> str:
        return await self._host.open(listen_in)

    def prepare(self, spec: MachineSpec) -> None:
        self._host.prepare(spec)

    async def boot(self, spec: MachineSpec) -> None:
        with self._clock.working():
            await self._host.boot(spec)

    def refresh(self) -> None:
        self._host.refresh()

    async def lose_network(self, vm_ids: Sequence[str]) -> None:
        with self._clock.working():
            await self._host.lose_network(vm_ids)

    async def restore_network(self, vm_ids: Sequence[str]) -> None:
        with self._clock.working():
            await self._host.restore_network(vm_ids)

    async def crash(self, vm_ids: Sequence[str]) -> None:
        with self._clock.working():
            await self._host.crash(vm_ids)

    async def halt(self, vm_ids: Sequence[str]) -> None:
        with self._clock.working():
            await self._host.halt(vm_ids)

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        with self._clock.working():
            await self._host.destroy(vm_ids)

    async def run(self, vm_id: str, script: Script) -> ScriptResult:
        with self._clock.working():
            return await self._host.run(vm_id, script)

    def serial_log(self, vm_id: str) -> bytes | None:
        return self._host.serial_log(vm_id)

    async def close(self) -> None:
        await self._host.close()
