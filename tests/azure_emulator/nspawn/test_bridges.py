"""Bridges of real machines' virtual networks, in a namespace of the test's own."""

import asyncio
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from azure_emulator.base.errors import ArmError
from azure_emulator.guest.machine_interface import Position
from azure_emulator.nspawn import namespaces, programs
from azure_emulator.nspawn.bridges import Bridges

IP = shutil.which("ip") or ""
MAC = "00:0d:3a:00:00:01"
LAB = Position("/networks/lab", "10.0.1.0/28", (), ())
ELSEWHERE = Position("/networks/elsewhere", "10.0.1.0/24", (), ())
APART = Position("/networks/apart", "10.0.2.0/24", (), ())

pytestmark = pytest.mark.skipif(bool(programs.missing()), reason=programs.missing())


class Router:
    """A namespace, and the bridges in it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self._directory = name, directory
        self.bridges = Bridges(name, directory, self._daemon)

    async def _daemon(self, *command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec("sleep", "600")

    def addresses(self) -> list[str]:
        return sorted(path.name for path in self._directory.glob("*/*"))

    def links(self) -> set[str]:
        listed = subprocess.run(
            [IP, "-n", self.name, "-o", "link"], check=True, capture_output=True, text=True
        ).stdout
        return {line.split(": ")[1] for line in listed.splitlines()} - {"lo"}


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[Router]:
    name = f"ipcaz-test-{uuid.uuid4().hex[:6]}"
    await namespaces.add(name)
    made = Router(name, tmp_path)
    try:
        yield made
    finally:
        await made.bridges.close()
        await namespaces.remove(name)


async def test_addresses_are_another_network_s_once_the_last_machine_is_gone(
    router: Router,
) -> None:
    first = await router.bridges.join(LAB, "vm-1", MAC, "10.0.1.4")
    assert await router.bridges.join(LAB, "vm-2", MAC, "10.0.1.5") == first
    for leaving in ("vm-1", "vm-2"):
        with pytest.raises(ArmError, match=r"/networks/lab has machines, .* in 10\.0\.1\.0/24"):
            await router.bridges.join(ELSEWHERE, "vm-3", MAC, "10.0.1.5")
        assert router.links() == {first}
        assert leaving in router.addresses()
        await router.bridges.leave(leaving)
    assert router.links() == set()
    assert router.addresses() == []
    other = await router.bridges.join(ELSEWHERE, "vm-3", MAC, "10.0.1.5")
    apart = await router.bridges.join(APART, "vm-4", MAC, "10.0.2.4")
    assert router.links() == {other, apart}
    await router.bridges.leave("nobody")
