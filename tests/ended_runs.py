"""A test run that is ended from outside, by a signal or a time limit, leaves no process behind.

What a run starts inherits VARIABLE, with a value that no other run has: through forks, into daemons
and into sessions of their own. The run's watcher, this file run as a program, hears from the kernel
when pytest is gone; then it ends all processes that have the value in their environment.
"""

import os
import secrets
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

VARIABLE = "IPCLUSTER_AZURE_TEST_RUN"
TERM_GRACE_S = 5.0  # for an emulator to end its machines, for a supervisor to end its engines
LOOK_S = 0.1


def watch() -> None:
    """Mark what this process starts from now on, to be ended when this process is gone."""
    if not hasattr(os, "pidfd_open"):  # Linux has it; elsewhere runs must end by themselves
        return
    # not in this run's environment, nor in that of the run around it: it would end itself
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    value = secrets.token_hex(16)
    null = os.open(os.devnull, os.O_RDWR)
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-IS", __file__, str(os.getpid()), value],
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, null, descriptor) for descriptor in range(3)],
        setsid=True,  # what ends the run's process group must not end it
    )
    os.close(null)
    os.environ[VARIABLE] = value


def marked(value: str) -> Iterator[int]:
    """Yield the pids of the processes that this run started and that still run."""
    mark = f"{VARIABLE}={value}".encode()
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit():
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read().split(b"\0"):
                        yield int(name)


def end_all(value: str) -> None:
    """Send SIGTERM to each once, and SIGKILL to those that are left after TERM_GRACE_S."""
    kill_at = time.monotonic() + TERM_GRACE_S
    asked: set[int] = set()
    while found := set(marked(value)):
        late = time.monotonic() > kill_at
        for pid in found if late else found - asked:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= found
        time.sleep(LOOK_S)


def main(pid: int, value: str) -> None:
    with suppress(ProcessLookupError):  # it is gone already
        select.select([os.pidfd_open(pid)], [], [])
    end_all(value)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
