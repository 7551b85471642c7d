"""Removes an emulator's namespaces once it has ended, in whatever way: SIGKILL included.

A program of its own, `python -IS leftovers.py PID PREFIX`, started by network.py: it outlives the
emulator PID by a moment. Mounts and containers need no such care: they go with the emulator.
"""

import os
import select
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

NAMESPACES = Path("/run/netns")
RESOLVERS = Path("/etc/netns")  # where `ip netns exec` looks for a resolv.conf


def remove(prefix: str) -> None:
    """Remove the namespaces whose names begin with `prefix`, and what is kept for them."""
    for path in NAMESPACES.glob(f"{prefix}-*"):
        subprocess.run(["ip", "netns", "del", path.name], check=False, capture_output=True)  # noqa: S607
    for folder in RESOLVERS.glob(f"{prefix}-*"):
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # others have theirs there
        RESOLVERS.rmdir()


def main(pid: int, prefix: str) -> None:
    with suppress(ProcessLookupError):  # it has ended already
        select.select([os.pidfd_open(pid)], [], [])
    remove(prefix)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
