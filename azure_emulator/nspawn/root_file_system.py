"""The root file system that all machines share: a Debian with systemd, sshd, sudo, cloud-init.

It is what an image is on Azure. It is made once, from the mirrors that this computer's apt uses,
which takes a minute, and kept in a folder of root's cache; machines only put overlays on it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

CACHE = Path("/var/cache/ipcluster-azure-emulator")
SUITE = "bookworm"
PACKAGES = (
    *("systemd-sysv", "dbus", "udev", "procps", "iproute2", "ifupdown", "isc-dhcp-client"),
    *("openssh-server", "cloud-init", "sudo", "ca-certificates", "python3", "python3-venv"),
)
# cloud-init asks neither for its data source nor whether it is in a container, as on Azure.
FILES = {
    "etc/cloud/cloud.cfg.d/90-azure.cfg": "datasource_list: [Azure]\nlocale: C.UTF-8\n"
    # they need a disk of its own
    "growpart: {mode: off}\nresize_rootfs: false\n",
    "etc/resolv.conf": "nameserver 168.63.129.16\n",
    "usr/local/sbin/systemd-detect-virt": "#!/bin/sh\n"
    'case "$*" in *--container*) exit 1 ;; *--quiet*) exit 0 ;; esac\necho microsoft\n',
    "usr/local/sbin/dmidecode": '#!/bin/sh\nfor word; do :; done\nexec cat "/etc/dmi/$word"\n',
    "etc/systemd/system/ssh.service.d/first.conf": "[Unit]\nAfter=cloud-init.service\n",
}
PROGRAMS = ("usr/local/sbin/systemd-detect-virt", "usr/local/sbin/dmidecode")
NOT_STARTED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer")


class NoRootFileSystem(OSError):
    """It could not be made; the text says what mmdebstrap said."""


def make(say: Callable[[str], None]) -> Path:
    """Return the root file system's folder; makes it unless it is there. Blocking: a minute.

    Raises NoRootFileSystem.
    """
    recipe = repr((SUITE, PACKAGES, FILES, NOT_STARTED))
    folder = CACHE / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        say(f"making the root file system of the machines in {folder}, once")
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        _remove(unfinished)
        try:
            _debootstrap(unfinished)
            _complete(unfinished)
        except (OSError, subprocess.CalledProcessError) as error:
            _remove(unfinished)
            said = getattr(error, "stderr", None) or str(error)
            raise NoRootFileSystem(said.strip().rpartition("\n")[2]) from error
        unfinished.rename(folder)
        return folder


def _debootstrap(folder: Path) -> None:
    sources = sorted(str(path) for path in Path("/etc/apt/sources.list.d").glob("*.sources"))
    sources += [path for path in ("/etc/apt/sources.list",) if os.path.exists(path)]
    # It mounts /sys and /dev/shm of this computer there: in a namespace of its own, which goes with
    # it, so that whoever removes an unfinished folder removes nothing else.
    command = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--propagation=private"]
    command += ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root"]
    command += [f"--include={','.join(PACKAGES)}", SUITE, str(folder), *sources]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _remove(folder: Path) -> None:
    """Remove a folder, and nothing of what may be mounted in it."""
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=False)  # noqa: S607


def _complete(folder: Path) -> None:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(content)
        path.chmod(0o755 if name in PROGRAMS else 0o644)
    # cloud-init looks for programs in /usr/bin first; packages may not be told of another one
    divert = folder / "usr/bin/systemd-detect-virt"
    divert.unlink()
    divert.symlink_to("/usr/local/sbin/systemd-detect-virt")
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():  # an image of this computer's owner trusts whom this computer does
        shutil.copy(certificates, folder / "etc/ssl/certs/ca-certificates.crt")
    for key in (folder / "etc/ssh").glob("ssh_host_*"):
        key.unlink()  # each machine makes its own, or gets them by customData
    (folder / "etc/machine-id").write_text("")
    for unit in NOT_STARTED:
        (folder / "etc/systemd/system" / unit).symlink_to("/dev/null")
