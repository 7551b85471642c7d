"""Machines that are SSH servers in this process; their commands are real child processes."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncssh

from . import errors, processes
from .addresses import LOOPBACK
from .cloud_config import CloudConfig, CloudConfigError, parse, run_commands, write_files
from .machines import MachineSpec
from .ssh_server import MachineServer
from .vm_environment import LOGIN_UMASK, build_environment

log = logging.getLogger(__name__)


class Machine:
    """One VM: its directory, its listeners and its open connections."""

    def __init__(self, spec: MachineSpec, directory: Path, package_cache: Path) -> None:
        self.spec = spec
        self.directory = directory
        self.home = directory / "home" / spec.admin_username
        self.environment = build_environment(spec, self.home, package_cache)
        self.keys = {asyncssh.import_public_key(text).public_data for text in spec.public_keys}
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.up = True
        self._listeners: list[asyncssh.SSHAcceptor] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def boot(self) -> None:
        first_boot = not self.home.exists()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = CloudConfig()
        try:
            config = parse(self.spec.custom_data)
        except CloudConfigError as error:
            # As cloud-init: the machine boots all the same, and says so in its log.
            self._log(f"customData is ignored: {error}\n")
        if first_boot:
            for problem in write_files(config, self.home, self.directory / "root"):
                self._log(problem + "\n")
        sockets = self._bind()
        keys = self._host_keys(config)
        for bound in sockets:
            self._listeners.append(await self._listen(bound, keys))
        if first_boot and config.commands:
            self._spawn_commands(config)

    def _log(self, text: str) -> None:
        with open(self.directory / "cloud-init-output.log", "a", encoding="utf-8") as log_file:
            log_file.write(text)

    def _bind(self) -> list[socket.socket]:
        """Both addresses, or neither."""
        bound: list[socket.socket] = []
        for address in (self.spec.private_address, self.spec.public_address):
            if address is None:
                continue
            listener = socket.socket()
            bound.append(listener)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, self.spec.ssh_port))
                listener.listen(128)
            except OSError as error:
                for other in bound:
                    other.close()
                raise _cannot_listen(self.spec, address, error) from error
        return bound

    def _host_keys(self, config: CloudConfig) -> list[asyncssh.SSHKey]:
        """customData's keys, else one of the machine's own that survives a restart."""
        keys = []
        for text in config.host_keys:
            try:
                keys.append(asyncssh.import_private_key(text))
            except (asyncssh.KeyImportError, ValueError) as error:
                self._log(f"a host key in customData is ignored: {error}\n")
        if keys:
            return keys
        path = self.directory / "ssh_host_ed25519_key"
        if not path.exists():
            path.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
            path.chmod(0o600)
        return [asyncssh.read_private_key(str(path))]

    async def _listen(
        self, bound: socket.socket, keys: list[asyncssh.SSHKey]
    ) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            sock=bound,
            server_factory=lambda: MachineServer(self),
            server_host_keys=keys,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            gss_host=None,
        )

    def _spawn_commands(self, config: CloudConfig) -> None:
        log_path = self.directory / "cloud-init-output.log"
        task = asyncio.ensure_future(
            run_commands(config.commands, self.home, self.environment, log_path)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self, script: str, variables: Mapping[str, str]) -> tuple[bytes, bytes]:
        """The script's output; it ends with the machine, like all its processes."""
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-s"),
            cwd=self.directory,
            env={**self.environment, **variables},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            umask=LOGIN_UMASK,
        )
        return await process.communicate(script.encode())

    def close(self) -> None:
        """Stop answering at once; the processes are killed by whoever calls this."""
        self.up = False
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self.connections):
            connection.abort()


def _cannot_listen(spec: MachineSpec, address: str, error: OSError) -> errors.ArmError:
    hint = "another process listens there"
    if ipaddress.ip_address(address) not in LOOPBACK:
        hint = (
            "machines of this local endpoint live on the loopback interface, so the virtual "
            "network must lie within 127.0.0.0/8; GET /emulator/offer names a free prefix"
        )
    return errors.ArmError(
        409,
        "VMStartTimedOut",
        f"VM '{spec.name}' did not start in the allotted time: its SSH server cannot listen on "
        f"{address}:{spec.ssh_port} ({error.strerror or error}; {hint}).",
    )


class ProcessMachines:
    """--machines=process."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "machines"
        self._package_cache = state_dir / "package-cache"
        self._machines: dict[str, Machine] = {}

    async def boot(self, spec: MachineSpec) -> None:
        await self.halt([spec.vm_id])
        directory = self._directory / spec.vm_id
        machine = Machine(spec, directory, self._package_cache)
        self._machines[spec.vm_id] = machine
        try:
            await machine.boot()
        except BaseException:
            machine.close()
            self._machines.pop(spec.vm_id, None)
            raise
        if not machine.up:  # destroyed meanwhile: what was opened since must go too
            machine.close()
            await self._remove([spec.vm_id])

    async def halt(self, vm_ids: Sequence[str]) -> None:
        closed = [self._machines.pop(vm_id, None) for vm_id in vm_ids]
        for machine in closed:
            if machine:
                machine.close()
        if any(closed):
            await asyncio.to_thread(processes.kill_machines, frozenset(vm_ids))

    async def run(
        self, vm_id: str, script: str, variables: Mapping[str, str]
    ) -> tuple[bytes, bytes]:
        machine = self._machines.get(vm_id)
        return await machine.run(script, variables) if machine else (b"", b"")

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        await self.halt(vm_ids)
        await self._remove(vm_ids)

    async def _remove(self, vm_ids: Sequence[str]) -> None:
        for vm_id in vm_ids:
            await asyncio.to_thread(shutil.rmtree, self._directory / vm_id, ignore_errors=True)

    async def close(self) -> None:
        await self.destroy(list(self._machines))
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)
