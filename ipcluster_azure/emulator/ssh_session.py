"""One SSH session: a command or a shell as a real process, with sshd's rules about its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from pathlib import Path

import asyncssh

from .vm_environment import LOGIN_UMASK

CHUNK = 65_536
ACCEPTED_VARIABLES = ("LC_", "LANG")  # Ubuntu's AcceptEnv


async def run_session(
    session: asyncssh.SSHServerProcess[bytes], home: Path, environment: dict[str, str]
) -> None:
    variables = {
        name: value for name, value in session.env.items() if name.startswith(ACCEPTED_VARIABLES)
    }
    variables |= environment
    shell = environment["SHELL"]
    command = [shell, "-c", session.command] if session.command is not None else [shell, "-l"]
    if session.term_type is not None:
        await _run_on_terminal(session, command, home, variables | {"TERM": session.term_type})
    else:
        await _run_on_pipes(session, command, home, variables)


async def _run_on_pipes(
    session: asyncssh.SSHServerProcess[bytes],
    command: list[str],
    home: Path,
    environment: dict[str, str],
) -> None:
    """The exit status is sent when the process is gone AND nobody holds its output open.

    When the client hangs up the pipes are closed and the process lives on, as with sshd.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=home,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        umask=LOGIN_UMASK,
    )
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    if stdin is None or stdout is None or stderr is None:
        raise RuntimeError("asyncio gave no pipes")
    feeding = asyncio.ensure_future(_feed(session, stdin))
    try:
        await asyncio.gather(_drain(stdout, session.stdout), _drain(stderr, session.stderr))
        _report(session, await process.wait())
    finally:
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding


async def _feed(session: asyncssh.SSHServerProcess[bytes], stdin: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while True:
            try:
                data = await session.stdin.read(CHUNK)
            except (asyncssh.TerminalSizeChanged, asyncssh.BreakReceived):
                continue
            except asyncssh.SignalReceived:
                continue  # OpenSSH delivers signals only to some sessions; nobody may rely on it
            if not data:
                break
            stdin.write(data)
            await stdin.drain()
    stdin.close()


async def _drain(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    """Until the last holder of the pipe closes it; a client that is gone ends it too."""
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()


def _report(session: asyncssh.SSHServerProcess[bytes], return_code: int) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        if return_code >= 0:
            session.exit(return_code)
        else:
            name = signal.Signals(-return_code).name.removeprefix("SIG")
            session.exit_with_signal(name)


async def _run_on_terminal(
    session: asyncssh.SSHServerProcess[bytes],
    command: list[str],
    home: Path,
    environment: dict[str, str],
) -> None:
    """A hang-up reaches the foreground process group as SIGHUP when the terminal closes."""
    primary, secondary = os.openpty()
    _resize(primary, session.term_size)
    try:
        process = await asyncio.create_subprocess_exec(
            # The session leader takes the terminal as its controlling one by opening it.
            *["/bin/sh", "-c", 'exec <"$0" >"$0" 2>&1; exec "$@"', os.ttyname(secondary)],
            *command,
            cwd=home,
            env=environment,
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

    typing = asyncio.ensure_future(_type(session, primary))
    waiting = asyncio.ensure_future(process.wait())
    # The terminal reads as ended until the child has opened it.
    await asyncio.sleep(0.05)
    loop.add_reader(primary, readable)
    try:
        await asyncio.wait({waiting, typing}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(reading), 1.0)
            _report(session, waiting.result())
    finally:
        typing.cancel()
        loop.remove_reader(primary)
        os.close(primary)
        await waiting


async def _type(session: asyncssh.SSHServerProcess[bytes], primary: int) -> None:
    """Client's keys to the terminal; returns when the client is gone."""
    while True:
        try:
            data = await session.stdin.read(CHUNK)
        except asyncssh.TerminalSizeChanged as change:
            _resize(primary, (change.width, change.height, change.pixwidth, change.pixheight))
            continue
        except (asyncssh.BreakReceived, asyncssh.SignalReceived):
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
