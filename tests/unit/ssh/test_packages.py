"""Packages on their way to the controller's machine: what it can't download is sent to it.

The commands are run by a shell of this computer, in place of one over SSH."""

import asyncio
import json
import os
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from ipcluster_azure.environment.lock import Locked, Wheel, write_lock
from ipcluster_azure.environment.selection import Target
from ipcluster_azure.errors import BootstrapFailed, ConfigurationError
from ipcluster_azure.ssh.commands import WORK_DIR
from ipcluster_azure.ssh.connection import Connection
from ipcluster_azure.ssh.machine_lock import LOCK, machine_lock
from ipcluster_azure.ssh.packages import PIECE, Packages, build_environment
from tests.package_index import PackageIndex, served

from ..on_vm.machines import PROGRAMS, PYTHON, Machine, locked

TARGET = Target(PYTHON, "x86_64", (2, 28))


class Shell:
    """A connection to a machine whose home directory is a folder here."""

    name = "vm"

    def __init__(self, home: Path) -> None:
        self.machine, self._home = Machine(home / WORK_DIR), home
        (self.machine.dir / "variables.sh").write_text("")
        self.commands: list[str] = []
        self.pieces: list[int] = []

    async def events(
        self,
        command: str,
        *,
        stdin: bytes | AsyncIterable[bytes] = b"",
        timeout_s: float,
        on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    ) -> dict[str, dict[str, Any]]:
        self.commands.append(command)
        process = await asyncio.create_subprocess_shell(
            command,
            cwd=self._home,
            env={"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(self._home)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        if isinstance(stdin, bytes):
            process.stdin.write(stdin)
        else:
            async for piece in stdin:
                self.pieces.append(len(piece))
                process.stdin.write(piece)
                await process.stdin.drain()
        process.stdin.close()
        found = {}
        async for line in process.stdout:
            event = json.loads(line)
            found[event["event"]] = event
            on_event(event)
        if await process.wait():
            raise BootstrapFailed(found["failed"]["reason"])
        return found


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with served(PackageIndex()) as index:
        yield index


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder of this computer with the wheels."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


def written(index: PackageIndex, folder: Path, file: str) -> Path:
    path = folder / file
    path.write_bytes(index.files[file])
    return path


def put_lock(shell: Shell, folder: Path, entries: Sequence[dict[str, Any]]) -> Path:
    """Write a lock here, and what comes of it to the machine."""
    lock = folder / "pylock.toml"
    packages = []
    for entry in entries:
        path = None if entry["url"] else folder / entry["file"]
        wheel = Wheel(entry["file"], entry["sha256"], entry["url"] or "", path)
        packages.append(Locked(entry["name"], entry["version"], wheel))
    write_lock(lock, packages, TARGET)
    (shell.machine.dir / LOCK).write_bytes(machine_lock(lock, PYTHON))
    return lock


async def build(shell: Shell, packages: Packages) -> list[str]:
    said: list[str] = []
    connection = cast(Connection, shell)
    await build_environment(connection, packages, [], b"", said.append)
    return said


async def nothing(names: Sequence[str], why: str) -> Sequence[Path]:
    raise AssertionError(f"{names} should not be carried: {why}")


async def test_wheels_without_an_address_are_sent_while_others_are_downloaded(
    shell: Shell, index: PackageIndex, here: Path
) -> None:
    public, own = index.add("public", "1.0"), index.add("own", "1.0")
    index.files[own] += b""
    lock = put_lock(shell, here, [locked(index, public), locked(index, own, url=None)])
    await build(shell, Packages(lock, [written(index, here, own)], nothing))
    assert shell.machine.versions() == {"own": "1.0", "public": "1.0"}
    assert len(shell.commands) in (2, 3)  # built, sent; built again unless it came in time
    assert f"/files/{own}" not in [path for path, _ in index.asked]
    again = len(shell.commands)
    await build(shell, Packages(lock, [here / own], nothing))
    assert len(shell.commands) == again + 1


async def test_a_large_wheel_is_sent_in_pieces(
    shell: Shell, index: PackageIndex, here: Path
) -> None:
    own = index.add("own", "1.0", *(f"p{number}" for number in range(60_000)))
    lock = put_lock(shell, here, [locked(index, own, url=None)])
    await build(shell, Packages(lock, [written(index, here, own)], nothing))
    assert max(shell.pieces) == PIECE
    assert sum(shell.pieces) % 512 == 0
    assert shell.machine.versions() == {"own": "1.0"}


async def test_what_the_machine_does_not_reach_is_fetched_here(
    shell: Shell, index: PackageIndex, here: Path
) -> None:
    public, far = index.add("public", "1.0"), index.add("far", "1.0")
    asked: list[tuple[Sequence[str], str]] = []

    async def carry(names: Sequence[str], why: str) -> Sequence[Path]:
        asked.append((names, why))
        return [written(index, here, name) for name in names]

    entries = [locked(index, public), locked(index, far, url=f"http://127.0.0.1:9/{far}")]
    lock = put_lock(shell, here, entries)
    await build(shell, Packages(lock, [], carry))
    ((names, why),) = asked
    assert names == [far]
    assert "127.0.0.1:9 can't be reached" in why
    assert shell.machine.versions() == {"far": "1.0", "public": "1.0"}


async def test_what_nobody_has_is_named(shell: Shell, index: PackageIndex, here: Path) -> None:
    own = index.add("own", "1.0")
    lock = put_lock(shell, here, [locked(index, own, url=None)])

    async def carry(names: Sequence[str], why: str) -> Sequence[Path]:
        return []

    with pytest.raises(BootstrapFailed, match=f"vm can't have {own}"):
        await build(shell, Packages(lock, [], carry))

    async def refuse(names: Sequence[str], why: str) -> Sequence[Path]:
        raise ConfigurationError("wrong password")

    with pytest.raises(ConfigurationError, match="wrong password"):
        await build(shell, Packages(lock, [], refuse))


async def test_a_wheel_that_was_changed_here_is_refused(
    shell: Shell, index: PackageIndex, here: Path
) -> None:
    own = index.add("own", "1.0")
    lock = put_lock(shell, here, [locked(index, own, url=None)])
    path = written(index, here, own)
    path.write_bytes(b"other")
    with pytest.raises(BootstrapFailed, match=f"{own} was changed since the packages were chosen"):
        await build(shell, Packages(lock, [path], nothing))
