"""One machine: an overlay on the shared root file system, and systemd in a container of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from ..guest.machine_interface import MachineSpec, Script, ScriptResult
from ..guest.vm_environment import way_out

ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"  # by which cloud-init knows an Azure machine
REBOOTED = 133  # systemd-nspawn's exit status after `reboot`
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
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
mount --rbind /sys/fs/cgroup "$2/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$2/cgroup" /sys/fs/cgroup
mount -t overlay overlay -o lowerdir="$1",upperdir="$2/upper",workdir="$2/work" "$2/root"
shift 2
exec "$@"
"""
OVF = """<?xml version="1.0" encoding="utf-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:wa="http://schemas.microsoft.com/windowsazure"
 xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
 <wa:ProvisioningSection><wa:Version>1.0</wa:Version>
  <LinuxProvisioningConfigurationSet xmlns="http://schemas.microsoft.com/windowsazure">
   <ConfigurationSetType>LinuxProvisioningConfiguration</ConfigurationSetType>
   <HostName>{name}</HostName>
   <UserName>{user}</UserName>{password}
   <DisableSshPasswordAuthentication>{keys_only}</DisableSshPasswordAuthentication>
   {custom_data}
  </LinuxProvisioningConfigurationSet>
 </wa:ProvisioningSection>
 <wa:PlatformSettingsSection><wa:Version>1.0</wa:Version>
  <PlatformSettings xmlns="http://schemas.microsoft.com/windowsazure">
   <KmsServerHostname>kms.core.windows.net</KmsServerHostname>
   <ProvisionGuestAgent>false</ProvisionGuestAgent>
  </PlatformSettings>
 </wa:PlatformSettingsSection>
</Environment>
"""


class Container:
    """A machine's disk, kept while it is off, and its running container, if there is one."""

    def __init__(self, spec: MachineSpec, directory: Path, root: Path, namespace: str) -> None:
        self.spec = spec
        self._directory = directory
        self._root = root
        self._namespace = namespace
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._erasing: asyncio.Future[None] | None = None

    @property
    def is_first_boot(self) -> bool:
        return not (self._directory / "upper").exists()

    @property
    def console(self) -> Path:
        """Where all that it has written on its console is."""
        return self._directory / "console.log"

    def serial_log(self) -> bytes | None:
        """Return what it has printed as it booted, cloud-init's output included."""
        if self.is_first_boot:
            return None
        parts = [self.console, self._directory / "upper/var/log/cloud-init-output.log"]
        return b"".join(part.read_bytes() for part in parts if part.exists())

    async def boot(self, ended: Callable[[int], None]) -> None:
        """Start the machine; `ended` hears the exit status if it ends by itself."""
        if self.is_first_boot:
            await asyncio.to_thread(self._make_disk)
        self._process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig=KILL", "nsenter", f"--net=/run/netns/{self._namespace}"),
            *("unshare", "--mount", "--propagation=private"),
            *("sh", "-c", MOUNT, "machine", str(self._root), str(self._directory)),
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

    def _make_disk(self) -> None:
        spec, upper = self.spec, self._directory / "upper"
        for folder in (self._directory / name for name in ("work", "root", "cgroup")):
            folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._directory / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        seed = unfinished / "var/lib/cloud/seed/azure/ovf-env.xml"
        files = {
            seed: _ovf(spec),
            unfinished / "etc/dmi/system-uuid": spec.vm_id + "\n",
            unfinished / "etc/dmi/chassis-asset-tag": ASSET_TAG + "\n",
            unfinished / "etc/hostname": spec.host_name + "\n",
            # without it sudo waits for the DNS
            unfinished / "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {spec.host_name}\n",
            unfinished / "etc/environment": _environment(),
        }
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            path.chmod(0o600 if path == seed else 0o644)
        for folder in (unfinished, *(path for path in unfinished.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        unfinished.rename(upper)

    async def run(self, script: Script) -> ScriptResult:
        """Run a script in the machine, as root or as its user."""
        leader = self._leader()
        if leader is None:
            return ScriptResult()
        command = ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        command += ["--root", "--wd"]
        if script.user not in ("", "root"):
            command += ["runuser", "-u", script.user, "--"]
        process = await asyncio.create_subprocess_exec(
            *(*command, "/bin/sh", "-s"),
            env={**SCRIPT_VARIABLES, **script.variables},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        talking = asyncio.ensure_future(process.communicate(script.text.encode()))
        try:
            output, mistakes = await asyncio.wait_for(talking, script.timeout_s)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            return ScriptResult(timed_out=True)
        return ScriptResult(process.returncode or 0, output, mistakes)

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


def _ovf(spec: MachineSpec) -> str:
    password = spec.password
    data = base64.b64encode(spec.custom_data).decode()
    return OVF.format(
        name=escape(spec.host_name),
        user=escape(spec.admin_username),
        password=f"<UserPassword>{escape(password)}</UserPassword>" if password else "",
        keys_only="false" if password else "true",
        custom_data=f"<CustomData>{data}</CustomData>" if data else "",
    )


def _environment() -> str:
    """Return /etc/environment: the package index as the user of this computer has it configured.

    What names files of this computer is left out, but for the certificates that the root file
    system has a copy of.
    """
    return "".join(
        f'{name}="{value}"\n'
        for name, value in way_out().items()
        if value == CERTIFICATES or value.startswith(("http://", "https://"))
    )
