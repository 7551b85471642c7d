"""The network between a laptop and the machines: namespaces, one router, a bridge for each VNet.

    laptop 198.51.100.2 -- router -- bridge 10.x.y.1 -- machine 10.x.y.4
                            |  public 192.0.2.z, one to one
                            |  168.63.129.16 (DNS, health), 169.254.169.254 (metadata)

Whoever is to see the machines as a user's computer does runs in the laptop's namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..guest.machine_interface import MachineSpec, Position
from . import filters, leftovers, namespaces
from .bridges import DNSMASQ, Bridges, end, short
from .package_index import Relay, look_up
from .programs import ProgramFailed, run

PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"


class Network:
    """All namespaces of one emulator. Their names begin with `prefix`, which no other has."""

    def __init__(self, prefix: str, directory: Path) -> None:
        self.prefix = prefix
        self.router = f"{prefix}-router"
        self.laptop = f"{prefix}-laptop"
        self._directory = directory
        self._bridges = Bridges(self.router, directory, self._daemon)
        self._index: dict[str, str] = {}
        self._relay: Relay | None = None
        self._relay_port = 0
        self._dns: asyncio.subprocess.Process | None = None
        self._tidying: subprocess.Popen[bytes] | None = None
        self._applied: dict[str, str] = {}
        self._applying = asyncio.Lock()

    async def open(self) -> None:
        """Make router and laptop; removes what a killed emulator left under the same names."""
        await asyncio.to_thread(leftovers.remove, self.prefix)
        self._have_leftovers_removed()
        self._index = await asyncio.to_thread(look_up)
        for name in (self.router, self.laptop):
            await namespaces.add(name)
        await self._settle("net.ipv4.ip_forward=1")
        with contextlib.suppress(ProgramFailed):  # 1 in new namespaces where the module is loaded
            await self._settle("net.bridge.bridge-nf-call-iptables=0")
        router, laptop = ("ip", "-n", self.router), ("ip", "-n", self.laptop)
        await run(
            *router, "link", "add", "laptop", "type", "veth", "peer", "eth0", "netns", self.laptop
        )
        for command in (
            (*router, "addr", "add", f"{filters.ROUTER}/24", "dev", "laptop"),
            (*router, "link", "set", "laptop", "up"),
            (*router, "addr", "add", f"{filters.PLATFORM}/32", "dev", "lo"),
            (*router, "addr", "add", f"{filters.METADATA}/32", "dev", "lo"),
            (*router, "route", "add", "blackhole", filters.PUBLIC),  # silent, as Azure is
            (*laptop, "addr", "add", f"{filters.LAPTOP}/24", "dev", "eth0"),
            (*laptop, "link", "set", "eth0", "up"),
            (*laptop, "route", "add", "default", "via", filters.ROUTER),
        ):
            await run(*command)
        listener = namespaces.listener(self.router, "0.0.0.0", 0)  # noqa: S104 - the router's own
        self._relay_port = listener.getsockname()[1]
        self._relay = Relay(listener, self._index)
        await self._relay.start()
        await self._serve_names()
        await self.route({}, frozenset())

    def _have_leftovers_removed(self) -> None:
        """Start the program that removes the namespaces if this process is killed.

        Its environment is empty, as who kills by that, such as a test suite, shall not find it.
        """
        command = [sys.executable, "-IS", leftovers.__file__, str(os.getpid()), self.prefix]
        self._tidying = subprocess.Popen(
            command, env={"PATH": PROGRAMS}, stdin=subprocess.DEVNULL, start_new_session=True
        )

    async def _settle(self, setting: str) -> None:
        await run("ip", "netns", "exec", self.router, "sysctl", "-qw", setting)

    async def _serve_names(self) -> None:
        """Start the DNS of machines and laptop, which knows the package index alone."""
        hosts = self._directory / "index-hosts"
        hosts.write_text("".join(f"{address} {name}\n" for name, address in self._index.items()))
        self._dns = await self._daemon(
            *DNSMASQ,
            *("--pid-file=", "--no-resolv", "--no-hosts", f"--addn-hosts={hosts}"),
            *(f"--listen-address={filters.PLATFORM}", f"--listen-address={filters.ROUTER}"),
            "--bind-interfaces",
        )
        own = Path("/etc/netns") / self.laptop  # where `ip netns exec` looks
        own.mkdir(parents=True, exist_ok=True)
        (own / "resolv.conf").write_text(f"nameserver {filters.ROUTER}\n")

    async def _daemon(self, *command: str) -> asyncio.subprocess.Process:
        """Start a program in the router's namespace; it dies with this process."""
        return await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig=KILL", "ip", "netns", "exec", self.router, *command),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    def namespace(self, spec: MachineSpec) -> str:
        return f"{self.prefix}-{spec.vm_id[:8]}"

    async def attach(self, spec: MachineSpec, position: Position) -> None:
        """Make the machine's namespace with its interface, eth0; DHCP gives it its address."""
        name, port = self.namespace(spec), f"v{short(spec.vm_id)}"
        mac = spec.mac_address.replace("-", ":").lower()
        bridge = await self._bridges.join(position, spec.vm_id, mac, spec.private_address)
        if not (namespaces.FOLDER / name).exists():
            await namespaces.add(name)
            await run(
                *("ip", "-n", self.router, "link", "add", port, "type", "veth"),
                *("peer", "name", "eth0", "address", mac, "netns", name),
            )
            await run("ip", "-n", self.router, "link", "set", port, "master", bridge, "up")
        await self._filter(name, filters.of_machine(position))

    async def route(self, public: Mapping[str, str], ways_out: frozenset[str]) -> None:
        """Have public addresses lead to these private ones, and these machines reach the index."""
        index = frozenset(self._index.values())
        routes = filters.Routes(public, ways_out, self._bridges.names, index, self._relay_port)
        async with self._applying:
            await self._filter(self.router, filters.of_router(routes))

    async def filter(self, spec: MachineSpec, position: Position) -> None:
        """Apply the machine's security groups as they are now."""
        await self._filter(self.namespace(spec), filters.of_machine(position))

    async def _filter(self, name: str, ruleset: str) -> None:
        if self._applied.get(name) != ruleset:
            await run("ip", "netns", "exec", name, "nft", "-f", "-", text=ruleset)
            self._applied[name] = ruleset

    async def lose(self, spec: MachineSpec) -> None:
        """Let no packet in or out of the machine any more."""
        await self.find_again(spec)
        command = ("ip", "netns", "exec", self.namespace(spec), "nft", "-f", "-")
        await run(*command, text=filters.LOST)

    async def find_again(self, spec: MachineSpec) -> None:
        command = ("ip", "netns", "exec", self.namespace(spec), "nft", "-f", "-")
        await run(*command, text="add table inet lost\ndelete table inet lost\n")

    async def detach(self, spec: MachineSpec) -> None:
        name = self.namespace(spec)
        self._applied.pop(name, None)
        await self._bridges.leave(spec.vm_id)
        await namespaces.remove(name)

    async def close(self) -> None:
        await self._bridges.close()
        if self._dns:
            await end(self._dns)
        if self._relay:
            self._relay.close()
        await asyncio.to_thread(leftovers.remove, self.prefix)
