"""Virtual networks of real machines: each is a bridge in the router's namespace, with DHCP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..base import errors
from ..guest.machine_interface import Position
from . import filters
from .programs import run

DHCP_AZURE = "a8:3f:81:10"  # option 245: the address of what hears the machines' health
# With root's own group: a change of either would undo --pdeathsig.
DNSMASQ = (
    *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"),
    *("--user=root", "--group=root"),
)
Daemon = Callable[..., Awaitable[asyncio.subprocess.Process]]


@dataclass
class Bridge:
    """The bridge of one virtual network, and who gives out its addresses."""

    name: str
    machines: set[str] = field(default_factory=set)
    subnets: set[str] = field(default_factory=set)
    is_stale: bool = False  # a machine is gone, and another may get its address
    dhcp: asyncio.subprocess.Process | None = None


class Bridges:
    """All bridges of one emulator. A bridge is there as long as its network has machines.

    `daemon` starts a program in the router's namespace that dies with this process; `directory` is
    for the machines' addresses.
    """

    def __init__(self, router: str, directory: Path, daemon: Daemon) -> None:
        self._router, self._directory, self._daemon = router, directory, daemon
        self._bridges: dict[str, Bridge] = {}  # by the network's resource id
        self._changing = asyncio.Lock()  # machines of one network boot at the same time

    @property
    def names(self) -> frozenset[str]:
        return frozenset(bridge.name for bridge in self._bridges.values())

    async def join(self, position: Position, vm_id: str, mac: str, address: str) -> str:
        """Return the name of the machine's bridge, whose DHCP gives that interface this address.

        Raises ArmError if another network's machines may have the address: there is one router.
        """
        async with self._changing:
            self._require_no_other(position)
            bridge = await self._find_or_make(position)
            bridge.machines.add(vm_id)
            if bridge.is_stale:
                bridge.is_stale = False
                await self._serve_addresses(bridge)
            # dnsmasq sees new files there by itself
            lease = self._leases(bridge) / vm_id
            await asyncio.to_thread(lease.write_text, f"{mac},{address},infinite\n")
            return bridge.name

    def _require_no_other(self, position: Position) -> None:
        subnet = ipaddress.IPv4Network(position.subnet)
        for network_id, bridge in self._bridges.items():
            others = map(ipaddress.IPv4Network, bridge.subnets)
            if network_id != position.network_id.lower() and any(map(subnet.overlaps, others)):
                raise errors.ArmError(
                    409,
                    "OverlappingVirtualNetworks",
                    f"Machines that are containers have one router: as long as {network_id} has "
                    f"machines, no other virtual network's can be in {position.subnet}.",
                )

    async def _find_or_make(self, position: Position) -> Bridge:
        key = position.network_id.lower()
        bridge = self._bridges.get(key)
        if bridge is None:
            bridge = self._bridges[key] = Bridge(f"b{short(key)}")
            await run("ip", "-n", self._router, "link", "add", bridge.name, "type", "bridge")
            await run("ip", "-n", self._router, "link", "set", bridge.name, "up")
        if position.subnet not in bridge.subnets:
            subnet = ipaddress.IPv4Network(position.subnet)
            gateway = f"{subnet.network_address + 1}/{subnet.prefixlen}"
            await run("ip", "-n", self._router, "addr", "add", gateway, "dev", bridge.name)
            bridge.subnets.add(position.subnet)
            await self._serve_addresses(bridge)
        return bridge

    async def _serve_addresses(self, bridge: Bridge) -> None:
        if bridge.dhcp:
            await end(bridge.dhcp)
        self._leases(bridge).mkdir(exist_ok=True)
        ranges = []
        for prefix in sorted(bridge.subnets):
            subnet = ipaddress.IPv4Network(prefix)
            ranges.append(f"--dhcp-range={subnet.network_address},static,{subnet.netmask}")
        bridge.dhcp = await self._daemon(
            *DNSMASQ,
            *("--pid-file=", "--port=0", f"--interface={bridge.name}", "--bind-interfaces"),
            *(*ranges, f"--dhcp-hostsdir={self._leases(bridge)}", "--no-ping"),
            *("--dhcp-authoritative", f"--dhcp-option=6,{filters.PLATFORM}"),
            *(f"--dhcp-option=245,{DHCP_AZURE}", "--leasefile-ro"),
        )

    def _leases(self, bridge: Bridge) -> Path:
        return self._directory / f"addresses-{bridge.name}"

    async def leave(self, vm_id: str) -> None:
        """Let another machine have this one's address, and another network those of an empty one's.

        Does nothing for a machine that has no bridge.
        """
        async with self._changing:
            for network_id, bridge in list(self._bridges.items()):
                if vm_id not in bridge.machines:
                    continue
                bridge.machines.remove(vm_id)
                (self._leases(bridge) / vm_id).unlink(missing_ok=True)
                bridge.is_stale = True
                if not bridge.machines:
                    del self._bridges[network_id]
                    await self._remove(bridge)

    async def _remove(self, bridge: Bridge) -> None:
        if bridge.dhcp:
            await end(bridge.dhcp)
        await run("ip", "-n", self._router, "link", "del", bridge.name)
        await asyncio.to_thread(shutil.rmtree, self._leases(bridge), ignore_errors=True)

    async def close(self) -> None:
        """End all DHCP; the bridges go with the router's namespace."""
        for bridge in self._bridges.values():
            if bridge.dhcp:
                await end(bridge.dhcp)


async def end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def short(text: str) -> str:
    """Return a name for an interface, of which Linux takes at most 15 characters."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]
