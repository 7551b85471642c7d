"""Machines that are containers with real systemd, sshd and cloud-init, by VM id."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import urllib.request
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from ..base import errors, provider_errors
from ..guest.machine_interface import ListenIn, MachineSpec, Script, ScriptResult
from . import root_file_system
from .container import REBOOTED, Container
from .network import Network
from .platform import Health, Platform
from .programs import ProgramFailed

log = logging.getLogger(__name__)

PROVISIONING_LIMIT_S = 40 * 60.0  # how long Azure waits for a sign of the guest
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NspawnMachines:
    """Machines that are as real as a container can be (--machines=nspawn); Linux, as root."""

    def __init__(self, state_dir: Path, root_layer: Path | None = None) -> None:
        self._directory = state_dir / "machines"
        digest = hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:6]
        self.network = Network(f"ipcaz-{digest}", self._directory)
        self.platform = Platform(self.network.router, self._find)
        self._containers: dict[str, Container] = {}
        self._layer = root_layer
        self._root: tuple[Path, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listen_in: ListenIn | None = None
        self._endpoints: dict[str, asyncio.Server] = {}  # by the ids of machines with a way out

    def _find(self, address: str) -> MachineSpec | None:
        specs = (container.spec for container in self._containers.values())
        return next((spec for spec in specs if spec.private_address == address), None)

    async def open(self, listen_in: ListenIn) -> str:
        """Make the network and, if it isn't there, the root file system."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        root = await asyncio.to_thread(root_file_system.make, log.info)
        self._root = (self._layer, root) if self._layer else (root,)
        await self.network.open()
        await self.platform.start()
        self._listen_in = listen_in
        await listen_in(self.network.laptop)
        return self.network.laptop

    def prepare(self, spec: MachineSpec) -> None:
        """Take the addresses: in namespaces of its own nobody else has them."""

    async def boot(self, spec: MachineSpec) -> None:
        position = spec.network.position()
        if position is None:
            return  # its interface is being deleted
        container = self._containers.get(spec.vm_id)
        if container is None:
            place = self._directory / spec.vm_id
            container = Container(spec, place, self._root, self.network.namespace(spec))
            self._containers[spec.vm_id] = container
        async with container.changing:
            await container.power_off()
            if self._containers.get(spec.vm_id) is not container:
                return  # deleted meanwhile
            container.spec = spec
            await self.network.attach(spec, position)
            await self.network.find_again(spec)
            await self._route()
            health = self.platform.health(spec.vm_id) if container.is_first_boot else None
            await container.boot(lambda status: self._ended(container, status))
        if health is not None:
            await _provisioned(spec.name, health)

    def _ended(self, container: Container, status: int) -> None:
        """Take note that the machine was shut down or restarted from inside."""
        spec = container.spec
        if status not in (0, REBOOTED):
            said = container.console.read_text(errors="replace").splitlines()
            problem = f"systemd-nspawn ended: {said[-1] if said else status}"
            self.platform.health(spec.vm_id).tell(problem)
            log.error("%s: %s", spec.name, problem)
        action = "restart" if status == REBOOTED else "off"
        self._spawn(_post(f"{spec.metadata_url}/power/{action}"))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refresh(self) -> None:
        self._spawn(self._follow())

    async def _follow(self) -> None:
        """Have routes and filters be what the networks say now."""
        for container in list(self._containers.values()):
            position = container.spec.network.position()
            if position is not None:
                with contextlib.suppress(ProgramFailed):  # deleted meanwhile
                    await self.network.filter(container.spec, position)
        await self._route()

    async def _route(self) -> None:
        specs = [container.spec for container in self._containers.values()]
        public = {
            address: spec.private_address
            for spec in specs
            if (address := spec.network.public_address())
        }
        ways_out = frozenset(spec.private_address for spec in specs if spec.outbound)
        await self.network.route(public, ways_out)
        for spec in specs:
            await self._offer_endpoint(spec)

    async def _offer_endpoint(self, spec: MachineSpec) -> None:
        """Let a machine reach the Resource Manager as long as it has a way out, as on Azure."""
        if not spec.outbound:
            self._withdraw_endpoint(spec)
        elif spec.vm_id not in self._endpoints and self._listen_in is not None:
            with contextlib.suppress(OSError):  # deleted meanwhile, or another task was faster
                namespace = self.network.namespace(spec)
                self._endpoints[spec.vm_id] = await self._listen_in(namespace)

    def _withdraw_endpoint(self, spec: MachineSpec) -> None:
        if server := self._endpoints.pop(spec.vm_id, None):
            server.close()

    def _known(self, vm_ids: Sequence[str]) -> list[Container]:
        return [self._containers[vm_id] for vm_id in vm_ids if vm_id in self._containers]

    async def _each(
        self, vm_ids: Sequence[str], act: Callable[[Container], Coroutine[Any, Any, None]]
    ) -> None:
        """Do something to each of these machines that is there, one thing at a time to each."""

        async def alone(container: Container) -> None:
            async with container.changing:
                if self._containers.get(container.spec.vm_id) is container:
                    await act(container)

        await asyncio.gather(*(alone(container) for container in self._known(vm_ids)))

    async def lose_network(self, vm_ids: Sequence[str]) -> None:
        await self._each(vm_ids, lambda container: self.network.lose(container.spec))

    async def restore_network(self, vm_ids: Sequence[str]) -> None:
        await self._each(vm_ids, lambda container: self.network.find_again(container.spec))

    async def crash(self, vm_ids: Sequence[str]) -> None:
        await self.lose_network(vm_ids)
        await self.halt(vm_ids)

    async def halt(self, vm_ids: Sequence[str]) -> None:
        await self._each(vm_ids, self._halt)

    async def _halt(self, container: Container) -> None:
        await container.power_off()
        self.platform.health(container.spec.vm_id).tell("")  # it will say no more of this boot

    async def run(self, vm_id: str, script: Script) -> ScriptResult:
        container = self._containers.get(vm_id)
        return await container.run(script) if container else ScriptResult()

    def serial_log(self, vm_id: str) -> bytes | None:
        container = self._containers.get(vm_id)
        return container.serial_log() if container else None

    async def destroy(self, vm_ids: Sequence[str]) -> None:
        await self._each(vm_ids, self._destroy)

    async def _destroy(self, container: Container) -> None:
        spec = container.spec
        del self._containers[spec.vm_id]
        await container.erase()
        self._withdraw_endpoint(spec)
        await self.network.detach(spec)
        self.platform.forget(spec.vm_id)

    async def close(self) -> None:
        await self.destroy(list(self._containers))
        for task in list(self._tasks):
            task.cancel()
        await self.platform.close()
        await self.network.close()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)


async def _post(url: str) -> None:
    """Tell the emulator's metadata service, which is where guests say that they end."""
    request = urllib.request.Request(url, method="POST")  # noqa: S310 - of this emulator, http
    try:
        await asyncio.to_thread(NO_PROXY.open, request, None, 30)
    except OSError as error:
        log.warning("what a machine said of its power was not heard: %s", error)


async def _provisioned(name: str, health: Health) -> None:
    """Wait until the guest says that it is ready, or is stopped or deleted before it could.

    Raises ArmError if it says that it is not ready, or nothing in the time that Azure gives it.
    """
    try:
        await asyncio.wait_for(health.told.wait(), PROVISIONING_LIMIT_S)
    except asyncio.TimeoutError:
        raise provider_errors.os_provisioning_timed_out(name) from None
    if health.problem:
        raise _provisioning_failed(name, health.problem)


def _provisioning_failed(name: str, reason: str) -> errors.ArmError:
    return errors.ArmError(
        409,
        "OSProvisioningClientError",
        f"OS provisioning failed for VM '{name}' due to an internal error: {reason}",
    )
