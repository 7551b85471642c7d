"""One machine: an overlay on the shared root file system, and systemd in a container of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from ..guest import scripts
from ..guest.machine_interface import MachineSpec, Script, ScriptResult
from . import disk

REBOOTED = 133  # systemd-nspawn's exit status after `reboot`
SCRIPT_VARIABLES = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LANG": "C.UTF-8",
}
BOOTED_BY = "/lib/systemd/systemd"

# An overlay that goes with the process: it is mounted in a mount namespace of its own.
# /sys shows the network of whoever mounts it.
MOUNT = """set -e
exec >>"$2/console.log" 2>&1
if [ -e "$2/disk.img" ]; then mount -o loop "$2/disk.img" "$2/disk"; fi
mount --rbind /sys/fs/cgroup "$2/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$2/cgroup" /sys/fs/cgroup
mount -t overlay overlay -o lowerdir="$1",upperdir="$2/disk/upper",workdir="$2/disk/work" "$2/root"
shift 2
exec "$@"
"""


class Container:
    """A machine's disk, kept while it is off, and its running container, if there is one.

    root: the folders over which the disk lies, the uppermost first.
    """

    def __init__(
        self, spec: MachineSpec, directory: Path, root: tuple[Path, ...], namespace: str
    ) -> None:
        self.spec = spec
        self._directory = directory
        self._disk = directory / "disk"
        self._root = root
        self._namespace = namespace
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._erasing: asyncio.Future[None] | None = None
        self.changing = asyncio.Lock()  # held while it is being booted, stopped or deleted

    @property
    def is_first_boot(self) -> bool:
        return not self._disk.exists()

    @property
    def console(self) -> Path:
        """Where all that it has written on its console is."""
        return self._directory / "console.log"

    def serial_log(self) -> bytes | None:
        """Return what it has printed as it booted, cloud-init's output included."""
        if self.is_first_boot:
            return None
        parts = [self.console, self._disk / "upper/var/log/cloud-init-output.log"]
        return b"".join(part.read_bytes() for part in parts if part.exists())

    async def boot(self, ended: Callable[[int], None]) -> None:
        """Start the machine; `ended` hears the exit status if it ends by itself."""
        if self.is_first_boot:
            for name in ("root", "cgroup"):
                (self._directory / name).mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(disk.make, self.spec, self._disk)
        self._process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig=KILL", "nsenter", f"--net=/run/netns/{self._namespace}"),
            *("unshare", "--mount", "--propagation=private"),
            *("sh", "-c", MOUNT, "machine", ":".join(map(str, self._root)), str(self._directory)),
            *("systemd-nspawn", "--quiet", f"--directory={self._directory / 'root'}"),
            *(f"--machine=vm-{self.spec.vm_id}", f"--hostname={self.spec.host_name}"),
            *(f"--network-namespace-path=/run/netns/{self._namespace}", "--register=no"),
            *("--keep-unit", "--console=pipe", "--resolv-conf=off", "--timezone=off"),
            *("--link-journal=no", "--kill-signal=SIGRTMIN+3", "--capability=CAP_NET_ADMIN"),
            # cloud-init must not take itself for a container's: it has to ask Azure
            *("/usr/bin/env", "-u", "container", BOOTED_BY),
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watching = asyncio.ensure_future(self._watch(self._process, ended))

    async def _watch(
        self, process: asyncio.subprocess.Process, ended: Callable[[int], None]
    ) -> None:
        status = await process.wait()
        if self._process is process:
            self._process = None
            ended(status)

    async def run(self, script: Script) -> ScriptResult:
        """Run a script in the machine, as root or as its user."""
        leader = self._leader()
        if leader is None:
            return ScriptResult()
        command = ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        command += ["--root", "--wd"]
        if script.user not in ("", "root"):
            command += ["runuser", "-u", script.user, "--"]
        variables = {**SCRIPT_VARIABLES, **script.variables}
        return await scripts.run(script, Path("/"), variables, within=command)

    def _leader(self) -> int | None:
        """Return the id, here, of the machine's process 1."""
        if self._process is None:
            return None
        children = _children(self._process.pid)
        return children[0] if children else None

    async def power_off(self) -> None:
        """Kill all its processes at once, as a hypervisor does; the disk stays."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        children = _children(process.pid)
        for pid in (process.pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await process.wait()

    async def erase(self) -> None:
        """Have the disk gone at once, as in Azure; to remove all its files takes longer."""
        await self.power_off()
        erased = self._directory.with_name(f".{self._directory.name}")
        with contextlib.suppress(OSError):  # it never booted
            self._directory.rename(erased)
        self._erasing = asyncio.ensure_future(
            asyncio.to_thread(shutil.rmtree, erased, ignore_errors=True)
        )


def _children(pid: int) -> list[int]:
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    except OSError:
        return []
