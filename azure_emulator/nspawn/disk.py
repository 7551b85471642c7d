"""What lies on a machine's disk before its first boot, over the shared root file system."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

from ..guest.machine_interface import MachineSpec
from . import package_index

ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"  # by which cloud-init knows an Azure machine
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
# Once cloud-init has put the keys of customData in place, others take it, for good.
OTHER_HOST_KEY = """[Service]
ExecStartPre=/bin/sh -c 'test -e /etc/ssh/other || { rm -f /etc/ssh/ssh_host_*_key*; \
ssh-keygen -A && touch /etc/ssh/other; }'
"""


def make(spec: MachineSpec, disk: Path) -> None:
    """Make the folder `disk`, with an overlay's upper and work folder, whole or not at all.

    A small disk is a file system of its own, disk.img, made of that folder. Blocking.
    """
    unfinished = disk.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    upper = unfinished / "upper"
    (unfinished / "work").mkdir(parents=True)
    for name, (content, mode) in _files(spec).items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    if spec.defects.no_ssh:
        units = upper / "etc/systemd/system"
        units.mkdir(parents=True, exist_ok=True)
        (units / "ssh.service").symlink_to("/dev/null")
    for folder in (unfinished, upper, *(path for path in upper.rglob("*") if path.is_dir())):
        folder.chmod(0o700 if folder == upper / "root" else 0o755)
    if spec.defects.disk_mb:
        image, size = disk.with_name("disk.img"), f"{spec.defects.disk_mb}M"
        subprocess.run(
            ["mkfs.ext4", "-q", "-m0", "-d", str(unfinished), str(image), size],  # noqa: S607
            check=True,
        )
    unfinished.rename(disk)


def _files(spec: MachineSpec) -> dict[str, tuple[str, int]]:
    """Return path -> content and mode."""
    files = {
        "var/lib/cloud/seed/azure/ovf-env.xml": (_ovf(spec), 0o600),
        "etc/dmi/system-uuid": (f"{spec.vm_id}\n", 0o644),
        "etc/dmi/chassis-asset-tag": (f"{ASSET_TAG}\n", 0o644),
        "etc/hostname": (f"{spec.host_name}\n", 0o644),
        # without it sudo waits for the DNS
        "etc/hosts": (f"127.0.0.1 localhost\n127.0.1.1 {spec.host_name}\n", 0o644),
    }
    if spec.defects.wrong_host_key:
        files["etc/systemd/system/ssh.service.d/other-key.conf"] = (OTHER_HOST_KEY, 0o644)
    environment = package_index.environment() if spec.outbound else ""
    files["etc/environment"] = (environment, 0o644)
    if spec.outbound and (logins := package_index.logins()):
        # new users' homes are copies of /etc/skel
        files["root/.netrc"] = files["etc/skel/.netrc"] = (logins, 0o600)
    return files


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
