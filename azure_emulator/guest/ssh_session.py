"""One SSH session: a command or a shell as a real process, with sshd's rules about its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import asyncssh

from .session_process import CHUNK, LIMITED, report, signal_group
from .ssh_terminal import run_on_terminal
from .vm_environment import LOGIN_UMASK

ACCEPTED_VARIABLES = re.compile("LANG|LC_.*")  # Ubuntu's AcceptEnv


async def run_session(
    session: asyncssh.SSHServerProcess[bytes],
    home: Path,
    environment: dict[str, str],
    is_up: Callable[[], bool],
) -> None:
    """Run a session's command or shell.

    is_up: returns False once the machine is being stopped; what was just started then dies.
    """
    variables = {
        name: value for name, value in session.env.items() if ACCEPTED_VARIABLES.fullmatch(name)
    }
    variables |= environment | _connection_variables(session)
    shell = environment["SHELL"]
    command = [shell, "-c", session.command] if session.command is not None else [shell, "-l"]
    if session.term_type is not None:
        await run_on_terminal(session, command, home, variables | {"TERM": session.term_type})
    else:
        await _run_on_pipes(session, command, home, variables, is_up)


def _connection_variables(session: asyncssh.SSHServerProcess[bytes]) -> dict[str, str]:
    """Return what sshd tells a command about its connection."""
    peer, own = (session.channel.get_extra_info(name) for name in ("peername", "sockname"))
    return {
        "SSH_CLIENT": f"{peer[0]} {peer[1]} {own[1]}",
        "SSH_CONNECTION": f"{peer[0]} {peer[1]} {own[0]} {own[1]}",
    }


class _Output:
    """The reading end of a pipe, which can be closed so that the writer gets SIGPIPE."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self._transport: asyncio.ReadTransport | None = None
        self._reader = asyncio.StreamReader()

    async def pump(self, sink: asyncssh.SSHWriter[bytes]) -> None:
        """Send the output to its end, which is when its last holder closes it."""
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
    """Run a command; its exit status is sent when it is gone and nobody holds its output open.

    When the client hangs up the pipes are closed and the process lives on, as with sshd.
    """
    output, errors = _Output(), _Output()
    process = await asyncio.create_subprocess_exec(
        *LIMITED,
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
    """Serve until the command is over, or the client has hung up."""
    feeding = asyncio.ensure_future(_feed(session, process))
    pumping = asyncio.ensure_future(_both(output, errors, session))
    hanging_up = asyncio.ensure_future(session.channel.wait_closed())
    try:
        await asyncio.wait({pumping, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        output.close()
        errors.close()
        if not hanging_up.done():
            report(session, await process.wait())
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
                signal_group(process, received.signal)
                continue
            if not data:
                break
            stdin.write(data)
            await stdin.drain()
    stdin.close()
