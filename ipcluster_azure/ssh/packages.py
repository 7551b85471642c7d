"""The environment's packages on the controller's machine, which downloads what it can reach.

The other wheels are carried: sent over SSH, in pieces, while it downloads the rest.
"""

import asyncio
import tarfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BootstrapFailed
from .commands import SET_VARIABLES, Command, shell
from .connection import Connection

BUILD_TIMEOUT_S = 600.0
SLOWEST = 50_000  # bytes a second, to the controller
SEND_TIMEOUT_S = 3600.0  # a line of 10 Mbit/s takes 4 GB in that time
PROGRESS_S = 4.0
ROUNDS = 4  # one may be followed by what was known to be lacking, one by what was not
PIECE = 1 << 17  # bytes, a second of a line of 1 Mbit/s
BUILD: Command = ["python3", "vm_environment.py", "build"]
UPDATE: Command = ["python3", "vm_environment.py", "update"]
RECEIVE: Command = ["python3", "vm_environment.py", "receive"]
BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Packages:
    """What an environment is made of.

    `lock` is a pylock.toml (machine_lock.py says of what kind); `wheels` are its files that have no
    address. `carry` is called with names of further wheels that the controller's machine can't
    reach and with the reason; it returns them as files, or raises.
    """

    lock: Path
    wheels: Sequence[Path]
    carry: Callable[[Sequence[str], str], Awaitable[Sequence[Path]]]


async def build_environment(
    connection: Connection,
    packages: Packages,
    before: Sequence[Command],
    data: bytes,
    on_progress: Callable[[str], None],
    command: Command = BUILD,
    receive: Command = RECEIVE,
) -> None:
    """Run the steps `before`, which read `data`, and make the environment.

    `receive` takes wheels for it.
    Returns once it is there. Raises BootstrapFailed, or what `packages.carry` raises.
    """
    sending = _Sending(connection, packages, on_progress, receive)
    tell = telling(on_progress)

    def on_event(event: dict[str, Any]) -> None:
        tell(event)
        if event["event"] == "needed":
            sending.begin(event["files"])

    steps = [*before, command]
    try:
        for _ in range(ROUNDS):
            events = await connection.events(
                shell(*steps),
                stdin=data,
                timeout_s=BUILD_TIMEOUT_S + len(data) / SLOWEST,
                on_event=on_event,
            )
            await sending.finish()
            if "environment" in events:
                return
            await sending.carry(_lacking(events), events.get("unreachable", {}).get("why"))
            steps, data = [SET_VARIABLES, command], b""
        raise BootstrapFailed(f"{connection.name} does not find {', '.join(_lacking(events))}")
    finally:
        await sending.cancel()


class _Sending:
    """Wheels on their way to a machine, beside what else it does."""

    def __init__(
        self,
        connection: Connection,
        packages: Packages,
        on_progress: Callable[[str], None],
        receive: Command,
    ) -> None:
        self._connection, self._packages = connection, packages
        self._on_progress, self._receive = on_progress, receive
        self._here = {path.name: path for path in packages.wheels}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, names: Sequence[str]) -> None:
        """Begin to send those of the named wheels that are here."""
        if files := [self._here[name] for name in names if name in self._here]:
            work = send_wheels(self._connection, files, self._on_progress, self._receive)
            self._tasks.append(asyncio.ensure_future(work))

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks)

    async def carry(self, names: Sequence[str], why: str | None) -> None:
        """Get those of the named wheels that are not here, and send them.

        `why` the machine can't get them itself. Raises BootstrapFailed if some can't be had.
        """
        lacking = [name for name in names if name not in self._here]
        if not lacking:
            return
        why = why or "they have no address"
        self._here |= {path.name: path for path in await self._packages.carry(lacking, why)}
        if still := [name for name in lacking if name not in self._here]:
            raise BootstrapFailed(f"{self._connection.name} can't have {', '.join(still)}: {why}")
        self.begin(lacking)
        await self.finish()

    async def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def telling(on_progress: Callable[[str], None]) -> Callable[[dict[str, Any]], None]:
    """Return what hears a command's events, and tells of its progress in words."""

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            on_progress(": ".join(filter(None, (event["doing"], event["detail"]))))

    return on_event


def _lacking(events: dict[str, dict[str, Any]]) -> list[str]:
    return [
        name
        for event in ("needed", "unreachable")
        for name in events.get(event, {}).get("files", ())
    ]


async def send_wheels(
    connection: Connection,
    files: Sequence[Path],
    on_progress: Callable[[str], None],
    receive: Command = RECEIVE,
) -> None:
    """Send wheels of the lock to the machine, which checks their hashes."""
    await connection.events(
        shell(receive), stdin=_archive(files, on_progress), timeout_s=SEND_TIMEOUT_S
    )


async def _archive(
    files: Sequence[Path], on_progress: Callable[[str], None]
) -> AsyncIterator[bytes]:
    """Yield a tar archive of the files piece by piece, as fast as they are taken."""
    sizes = [path.stat().st_size for path in files]
    sent, said_at = 0, time.monotonic()
    for path, size in zip(files, sizes, strict=True):
        entry = tarfile.TarInfo(path.name)
        entry.size = size
        yield entry.tobuf(tarfile.PAX_FORMAT)
        left = size
        with open(path, "rb") as file:  # noqa: ASYNC230 - to open it takes no time
            while left:
                piece = await asyncio.to_thread(file.read, min(PIECE, left))
                if not piece:
                    raise BootstrapFailed(f"{path} was changed while it was sent")
                yield piece
                left -= len(piece)
                sent += len(piece)
                if time.monotonic() - said_at > PROGRESS_S:
                    said_at = time.monotonic()
                    megabytes = f"{sent / 1e6:.0f} of {sum(sizes) / 1e6:.0f} MB"
                    on_progress(f"sending it packages that only this computer has: {megabytes}")
        yield bytes(-size % BLOCK)
    yield bytes(2 * BLOCK)
