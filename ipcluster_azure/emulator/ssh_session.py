"""One SSH session: a command or a shell as a real process, with sshd's rules about its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Callable
from pathlib import Path

import asyncssh

from .vm_environment import LOGIN_UMASK

CHUNK = 65_536
ACCEPTED_VARIABLES = ("LC_", "LANG")  # Ubuntu's AcceptEnv


async def run_session(
    session: asyncssh.SSHServerProcess[bytes],
    home: Path,
    environment: dict[str, str],
    is_up: Callable[[], bool],
) -> None:
    """is_up: false once the machine is being stopped; what was just started dies then."""
    variables = {
        name: value for name, value in session.env.items() if name.startswith(ACCEPTED_VARIABLES)
    }
    variables |= environment
    shell = environment["SHELL"]
    command = [shell, "-c", session.command] if session.command is not None else [shell, "-l"]
    if session.term_type is not None:
        await _run_on_terminal(session, command, home, variables | {"TERM": session.term_type})
    else:
        await _run_on_pipes(session, command, home, variables, is_up)


class _Output:
    """The reading end of a pipe, which can be closed so that the writer gets SIGPIPE."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self._transport: asyncio.ReadTransport | None = None
        self._reader = asyncio.StreamReader()

    async def pump(self, sink: asyncssh.SSHWriter[bytes]) -> None:
        """To the end of the output, which is when its last holder closes it."""
        os.close(self.writing)
        protocol = asyncio.StreamReaderProtocol(self._reader)
        file = os.fdopen(self._reading, "rb", buffering=0)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: protocol, file)
        with contextlib.suppress(OSError, asyncssh.Error):
            while data := await self._reader.read(CHUNK):
                sink.write(data)
                await sink.drain()

    def close(self) -> None:
        if self._transport:
            self._transport.close()


async def _run_on_pipes(
    session: asyncssh.SSHServerProcess[bytes],
    command: list[str],
    home: Path,
    environment: dict[str, str],
    is_up: Callable[[], bool],
) -> None:
    """The exit status is sent when the process is gone AND nobody holds its output open.

    When the client hangs up the pipes are closed and the process lives on, as with sshd.
    """
    output, errors = _Output(), _Output()
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=home,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=output.writing,
        stderr=errors.writing,
        start_new_session=True,
        umask=LOGIN_UMASK,
    )
    if not is_up():
        process.kill()
    await _serve(session, process, output, errors)
    await process.wait()


async def _serve(
    session: asyncssh.SSHServerProcess[bytes],
    process: asyncio.subprocess.Process,
    output: _Output,
    errors: _Output,
) -> None:
    """Until the command is over, or the client has hung up."""
    feeding = asyncio.ensure_future(_feed(session, process))
    pumping = asyncio.ensure_future(_both(output, errors, session))
    hanging_up = asyncio.ensure_future(session.channel.wait_closed())
    try:
        await asyncio.wait({pumping, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        output.close()
        errors.close()
        if not hanging_up.done():
            _report(session, await process.wait())
    finally:
        for task in (feeding, hanging_up, pumping):
            task.cancel()
        await asyncio.gather(feeding, hanging_up, pumping, return_exceptions=True)
        if process.stdin:
            process.stdin.close()


async def _both(
    output: _Output, errors: _Output, session: asyncssh.SSHServerProcess[bytes]
) -> None:
    await asyncio.gather(output.pump(session.stdout), errors.pump(session.stderr))


async def _feed(
    session: asyncssh.SSHServerProcess[bytes], process: asyncio.subprocess.Process
) -> None:
    stdin = process.stdin
    if stdin is None:
        return
    with contextlib.suppress(OSError, asyncssh.Error):
        while True:
            try:
                data = await session.stdin.read(CHUNK)
            except (asyncssh.TerminalSizeChanged, asyncssh.BreakReceived):
                continue
            except asyncssh.SignalReceived as received:
                _signal_group(process, received.signal)
                continue
            if not data:
                break
            stdin.write(data)
            await stdin.drain()
    stdin.close()


def _signal_group(process: asyncio.subprocess.Process, name: str) -> None:
    """OpenSSH since 7.9 delivers these to the command's process group."""
    if name in ("ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.Signals[f"SIG{name}"])


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
