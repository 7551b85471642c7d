"""Runs a script that a machine's agent was given, within its time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from .machine_interface import Script, ScriptResult
from .vm_environment import LOGIN_UMASK


async def run(
    script: Script, cwd: Path, environment: Mapping[str, str], *, within: Sequence[str] = ()
) -> ScriptResult:
    """Return what becomes of the script; all of its session is killed if this is cancelled.

    within: the words by which a shell is started where the script belongs, if that isn't here.
    """
    process = await asyncio.create_subprocess_exec(
        *(*within, "/bin/sh", "-s"),
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        umask=LOGIN_UMASK,
    )
    work = asyncio.ensure_future(process.communicate(script.text.encode()))
    try:
        await asyncio.wait([work], timeout=script.timeout_s)
        timed_out = not work.done()
        if timed_out:
            _kill(process.pid)
        output, mistakes = await work
    except asyncio.CancelledError:
        _kill(process.pid)
        work.cancel()
        raise
    status = process.returncode or 0
    return ScriptResult(status if status >= 0 else 128 - status, output, mistakes, timed_out)


def _kill(pid: int) -> None:
    """Kill the session that the script leads, so that nobody holds its outputs open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
