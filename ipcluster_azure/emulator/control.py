"""The emulator's own routes below /emulator: what Azure does not have."""

from __future__ import annotations

from collections.abc import Callable

from . import errors, groups
from .arm import ArmResponse, Json
from .networks import networks_in_use
from .state import Emulator
from .views import VM

Stop = Callable[[], None]


class Control:
    def __init__(self, em: Emulator, stop: Stop) -> None:
        self._em = em
        self._stop = stop

    async def answer(self, method: str, path: str) -> ArmResponse:
        if (method, path) == ("GET", "/emulator/status"):
            return ArmResponse(200, self.status())
        if (method, path) == ("GET", "/emulator/offer"):
            return ArmResponse(200, self.offer())
        if (method, path) == ("POST", "/emulator/reset"):
            await self.reset()
            return ArmResponse(200, self.status())
        if (method, path) == ("POST", "/emulator/stop"):
            self._stop()
            return ArmResponse(202, {})
        raise errors.no_such_route(method, path)

    def status(self) -> Json:
        return {
            "resource_groups": [group.name for group in self._em.store.groups()],
            "virtual_machines": [vm.name for vm in self._em.store.all(VM)],
        }

    def offer(self) -> Json:
        """Settings with which a cluster's network can exist on the loopback."""
        used = [net for networks in networks_in_use(self._em).values() for net in networks]
        return {
            "address_prefix": str(self._em.addresses.offer(used)),
            "ssh_port": self._em.addresses.ssh_port,
            "ssh_source": "127.0.0.0/8",
        }

    async def reset(self) -> None:
        """Everything is gone when this returns; operations under way end by themselves."""
        all_groups = self._em.store.groups()
        for group in all_groups:
            group.state = "Deleting"
        # Interfaces of all groups first: one group's may sit in another's network.
        await groups.delete_machines(self._em, all_groups)
        for group in all_groups:
            await groups.delete_contents(self._em, group, 0.0)
