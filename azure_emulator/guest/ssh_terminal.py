"""A command or a shell on a terminal of its own, as sshd runs it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from pathlib import Path

import asyncssh

from .session_process import CHUNK, LIMITED, report, signal_group
from .vm_environment import LOGIN_UMASK


async def run_on_terminal(
    session: asyncssh.SSHServerProcess[bytes],
    command: list[str],
    home: Path,
    environment: dict[str, str],
) -> None:
    """Run a command on a terminal of its own.

    A hang-up reaches the foreground process group as SIGHUP when the terminal closes.
    """
    primary, secondary = os.openpty()
    _resize(primary, session.term_size)
    try:
        process = await asyncio.create_subprocess_exec(
            # The session leader takes the terminal as its controlling one by opening it.
            *["/bin/sh", "-c", 'exec <"$0" >"$0" 2>&1; exec "$@"', os.ttyname(secondary)],
            *LIMITED,
            *command,
            cwd=home,
            env=environment | {"SSH_TTY": os.ttyname(secondary)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            umask=LOGIN_UMASK,
        )
    except BaseException:
        os.close(primary)
        raise
    finally:
        os.close(secondary)
    await _pump_terminal(session, process, primary)


async def _pump_terminal(
    session: asyncssh.SSHServerProcess[bytes], process: asyncio.subprocess.Process, primary: int
) -> None:
    loop = asyncio.get_running_loop()
    reading = loop.create_future()

    def readable() -> None:
        try:
            data = os.read(primary, CHUNK)
            session.stdout.write(data)
        except (OSError, asyncssh.Error):
            data = b""  # EIO: the last process of the terminal has closed it
        if not data and not reading.done():
            loop.remove_reader(primary)
            reading.set_result(None)

    typing = asyncio.ensure_future(_type(session, process, primary))
    waiting = asyncio.ensure_future(process.wait())
    # The terminal reads as ended until the child has opened it.
    await asyncio.sleep(0.05)
    loop.add_reader(primary, readable)
    try:
        await asyncio.wait({waiting, typing}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(reading), 1.0)
            report(session, waiting.result())
    finally:
        typing.cancel()
        loop.remove_reader(primary)
        os.close(primary)
        await waiting


async def _type(
    session: asyncssh.SSHServerProcess[bytes], process: asyncio.subprocess.Process, primary: int
) -> None:
    """Send the client's keys to the terminal; return when the client is gone."""
    while True:
        try:
            data = await session.stdin.read(CHUNK)
        except asyncssh.TerminalSizeChanged as change:
            _resize(primary, (change.width, change.height, change.pixwidth, change.pixheight))
            continue
        except asyncssh.SignalReceived as received:
            signal_group(process, received.signal)
            continue
        except asyncssh.BreakReceived:
            continue
        except (OSError, asyncssh.Error):
            return
        if not data:
            if session.channel.is_closing():
                return
            data = b"\x04"
        os.write(primary, data)
        if data == b"\x04" and session.stdin.at_eof():
            await session.channel.wait_closed()
            return


def _resize(primary: int, size: tuple[int, int, int, int]) -> None:
    width, height, pixel_width, pixel_height = size
    packed = struct.pack("HHHH", height, width, pixel_width, pixel_height)
    fcntl.ioctl(primary, termios.TIOCSWINSZ, packed)
