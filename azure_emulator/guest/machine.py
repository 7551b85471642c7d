"""One machine: an SSH server in this process; its commands are real child processes."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import weakref
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import asyncssh

from ..base import errors
from . import cloud_init, packet_loss, processes, scripts
from .addresses import LOOPBACK
from .machine_interface import MachineSpec, Script, ScriptResult
from .max_startups import DROPPED, Startups
from .ssh_doors import Doors
from .ssh_keys import authorized_keys, host_keys
from .ssh_server import MachineServer
from .vm_environment import build_environment

log = logging.getLogger(__name__)

SCAN_EVERY_S = 0.2
LOGIN_GRACE_S = 120  # OpenSSH's LoginGraceTime
PATIENCE_S = 2.0


class Machine:
    """A machine's directory, doors and open connections. One that is off keeps its doors."""

    def __init__(self, spec: MachineSpec, directory: Path, package_cache: Path) -> None:
        self.spec = spec
        self.directory = directory
        self.home = directory / "home" / spec.admin_username
        self._package_cache = package_cache
        self.keys: set[bytes] = set()
        self.connections: set[asyncssh.SSHServerConnection] = set()
        # Sockets of forwards, which are the machine's own connections to others.
        self.forwards: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self._startups = Startups()
        self.up = False
        self._serving = False
        self._attempt: object = None
        self._doors = Doors(spec.ssh_port)
        self._options: asyncssh.SSHServerConnectionOptions | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost: list[socket.socket] = []
        self._losing: asyncio.Task[None] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its processes as of now: a public address brings a way out."""
        return build_environment(self.spec, self.directory, self.home, self._package_cache)

    def take_addresses(self) -> OSError | None:
        return self._doors.keep(self.spec.addresses)

    async def boot(self) -> None:
        """Boot, and return when sshd is up, or earlier, as Azure does, if bootcmd takes long."""
        problem = self.take_addresses()
        if problem:
            raise _cannot_listen(self.spec, problem)
        attempt = self._attempt = object()
        boot = cloud_init.Boot(self.spec.custom_data, self.directory, self.home)
        config = boot.prepare()
        self.keys = authorized_keys((*self.spec.public_keys, *config.authorized_keys), boot.say)
        wrong = self.spec.defects.wrong_host_key
        options = await self._ssh_options(
            host_keys(() if wrong else config.host_keys, self.directory, boot.say)
        )
        if self._attempt is not attempt:
            return  # switched off meanwhile
        self._options = options
        self.up = True
        ready = asyncio.Event()
        self._spawn(self._come_up(boot, ready))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ready.wait(), PATIENCE_S)

    def serial_log(self) -> bytes | None:
        """Return what has come from the serial port, where cloud-init prints, too; None before the
        first boot."""
        return cloud_init.serial_log(
            self.directory, self.spec.name, up=self._serving, has_ssh=not self.spec.defects.no_ssh
        )

    async def _ssh_options(
        self, keys: list[asyncssh.SSHKey]
    ) -> asyncssh.SSHServerConnectionOptions:
        options: asyncssh.SSHServerConnectionOptions
        options = await asyncssh.SSHServerConnectionOptions.construct(
            server_factory=lambda: MachineServer(self),
            server_host_keys=keys,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            gss_host=None,
            login_timeout=LOGIN_GRACE_S,
            send_server_host_keys=True,
        )
        return options

    async def _come_up(self, boot: cloud_init.Boot, ready: asyncio.Event) -> None:
        await boot.begin(self.environment)
        self._serving = True
        if self.spec.defects.no_ssh:
            self._doors.remove()
        else:
            self.refresh()
        ready.set()
        await boot.finish(self.environment)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refresh(self) -> None:
        """Keep doors for the present addresses.

        Connections to an address that is gone fall silent.
        """
        if self._serving and self.spec.defects.no_ssh:
            return  # a port that nobody listens on: connections are refused
        problem = self.take_addresses()
        if problem:
            log.warning("%s: %s: %s", self.spec.name, problem.filename, problem)
        for connection in self.connections:
            sock = connection.get_extra_info("socket")
            if sock and sock.getsockname()[0] not in self.spec.addresses:
                packet_loss.lose(sock)
        if self._serving and self._losing is None:
            self._doors.open(self.spec.network.admits, self._serve)

    def _serve(self, connection: socket.socket) -> None:
        """Serve a connection, or drop it, as sshd does if many have not logged in yet."""
        if self._options is None or not self._startups.admit():
            with contextlib.suppress(OSError):
                connection.send(DROPPED)
            connection.close()
            return
        self._spawn(self._greet(connection, self._options))

    async def _greet(
        self, connection: socket.socket, options: asyncssh.SSHServerConnectionOptions
    ) -> None:
        try:
            with contextlib.suppress(OSError, asyncssh.Error, asyncio.TimeoutError):
                greeted = await asyncssh.run_server(connection, options=options)
                # asyncssh's listen() does this itself, run_server() does not.
                greeted.send_server_host_keys()
        finally:
            self._startups.settle()

    # What goes wrong

    async def lose_network(self) -> None:
        if self._losing is None:
            self._doors.close()
            await self._lose_sockets()
            self._losing = asyncio.ensure_future(self._keep_losing())

    async def _keep_losing(self) -> None:
        """Lose packets also of what the machine's processes open from now on."""
        while True:
            await asyncio.sleep(SCAN_EVERY_S)
            await self._lose_sockets()

    async def _lose_sockets(self) -> None:
        connections = [connection.get_extra_info("socket") for connection in self.connections]
        forwards = [transport.get_extra_info("socket") for transport in self.forwards]
        for sock in (*connections, *forwards):
            if sock is not None and not packet_loss.lose(sock):
                log.warning("this kernel can't lose packets: %s hangs up instead", self.spec.name)
                self._hang_up()
                return
        pids = await asyncio.to_thread(processes.find, frozenset([self.spec.vm_id]))
        held, self._lost = self._lost, packet_loss.outside_sockets(pids)
        for sock in self._lost:
            packet_loss.lose(sock)
        for sock in held:
            sock.close()

    async def restore_network(self) -> None:
        if self._losing is None:
            return
        self._losing.cancel()
        self._losing = None
        for connection in self.connections:
            packet_loss.find_again(connection.get_extra_info("socket"))
        for transport in self.forwards:
            packet_loss.find_again(transport.get_extra_info("socket"))
        for sock in self._lost:
            packet_loss.find_again(sock)
            sock.close()
        self._lost.clear()
        self.refresh()

    async def crash(self) -> None:
        """Kill the machine; the sockets of the dead stay open, so that no FIN tells anybody."""
        await self.lose_network()
        if self._losing:
            self._losing.cancel()
        self.up = self._serving = False
        self._cancel()
        await asyncio.to_thread(processes.kill_machines, frozenset([self.spec.vm_id]))

    async def run(self, script: Script) -> ScriptResult:
        """Run a script; it ends with the machine, like all its processes."""
        user = script.user or "root"
        if user not in ("root", self.spec.admin_username):
            return ScriptResult(1, b"", f"su: user {user} does not exist\n".encode())
        who = {"USER": user, "LOGNAME": user}
        cwd = self.home if script.user == self.spec.admin_username else self.directory
        return await scripts.run(script, cwd, {**self.environment, **who, **script.variables})

    # The end

    def power_off(self) -> None:
        """Stop answering at once; the processes are killed by whoever calls this."""
        self.up = self._serving = False
        self._attempt = None
        self._doors.close()
        if self._losing:
            self._losing.cancel()
            self._losing = None
        self._cancel()
        self._hang_up()

    def _cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _hang_up(self) -> None:
        for connection in list(self.connections):
            connection.abort()
        for sock in self._lost:
            sock.close()
        self._lost.clear()

    def remove(self) -> None:
        self.power_off()
        self._doors.remove()


def _cannot_listen(spec: MachineSpec, error: OSError) -> errors.ArmError:
    hint = "another process listens there"
    if ipaddress.ip_address(error.filename) not in LOOPBACK:
        hint = (
            "machines of this local endpoint live on the loopback interface, so the virtual "
            "network must lie within 127.0.0.0/8; GET /emulator/offer names a free prefix"
        )
    return errors.ArmError(
        409,
        "VMStartTimedOut",
        f"VM '{spec.name}' did not start in the allotted time: its SSH server cannot listen on "
        f"{error.filename}:{spec.ssh_port} ({error.strerror or error}; {hint}).",
    )
