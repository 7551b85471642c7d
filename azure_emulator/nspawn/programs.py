"""Programs of this computer: run, and looked for before an emulator starts."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21  # linux/capability.h
# program -> the Debian package that has it
NEEDED = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}


class ProgramFailed(OSError):
    """A program that was to change something of this computer's did not."""


def missing() -> str:
    """Return why this computer can't have such machines, and what to type; empty if it can."""
    if not sys.platform.startswith("linux"):
        return "--machines=nspawn needs Linux"
    if os.geteuid() != 0:
        return "--machines=nspawn needs root: it makes network namespaces and containers"
    if not _may_make_namespaces():
        return (
            "--machines=nspawn needs the capabilities to make network namespaces and containers, "
            "which root has not here, as in a container without privileges"
        )
    packages = sorted({package for name, package in NEEDED.items() if shutil.which(name) is None})
    if packages:
        return f"--machines=nspawn needs more programs: apt install {' '.join(packages)}"
    return ""


def _may_make_namespaces() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    has = int(status.partition("CapEff:")[2].split()[0], 16)
    return all(has >> number & 1 for number in (CAP_NET_ADMIN, CAP_SYS_ADMIN))


async def run(*command: str, text: str = "") -> str:
    """Run a program that needs no more than a moment, with `text` as its input; return its output.

    Raises ProgramFailed with what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, mistakes = await process.communicate(text.encode())
    if process.returncode != 0:
        said = mistakes.decode(errors="replace").strip() or f"status {process.returncode}"
        raise ProgramFailed(f"{' '.join(command)}: {said}")
    return output.decode()
