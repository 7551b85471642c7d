"""What commands with and without a terminal have in common: limits, signals, the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import asyncssh

CHUNK = 65_536
# The soft limit of open files that a login has; the emulator's own is as high as can be.
LIMITED = ["/bin/sh", "-c", 'ulimit -S -n 1024; exec "$@"', "sh"]


def signal_group(process: asyncio.subprocess.Process, name: str) -> None:
    """Send a signal to the command's process group, if it is one that OpenSSH delivers."""
    if name in ("HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.Signals[f"SIG{name}"])


def report(session: asyncssh.SSHServerProcess[bytes], return_code: int) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        if return_code >= 0:
            session.exit(return_code)
        else:
            name = signal.Signals(-return_code).name.removeprefix("SIG")
            session.exit_with_signal(name, lang="")
