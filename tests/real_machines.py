"""Tests on machines that are containers, not processes: $IPCLUSTER_AZURE_TEST_MACHINES is set.

Everything that runs the tests is then on a "laptop": the main thread of pytest, and so whatever is
started by it, is in the network namespace from which alone such machines can be reached.
"""

import ctypes
import importlib.metadata
import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from azure_emulator.client import EmulatorInfo
from azure_emulator.nspawn import programs

WANTED = "IPCLUSTER_AZURE_TEST_MACHINES"
REAL = bool(os.environ.get(WANTED))
SLOWNESS = 4.0 if REAL else 1.0  # a machine that boots takes seconds, not a moment

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000

# A Python with ipyparallel on the machines' image, so that a start need not install one.
IMAGE_PYTHON = "/opt/image/bin/python"
DEBIAN_PYTHON = (3, 11)  # of the root file system's Debian
PACKAGES = ("ipyparallel", "numpy", "cloudpickle", "jupyterlab", str(Path(__file__).parent.parent))


def options(folder: Path) -> dict[str, Any]:
    """Return how an emulator is started for the tests; `folder` is for the machines' image."""
    if not REAL:
        return {}
    if problem := programs.missing():
        pytest.skip(problem)
    if sys.version_info[:2] != DEBIAN_PYTHON:
        pytest.skip(f"the machines' Debian has Python {'.'.join(map(str, DEBIAN_PYTHON))}")
    return {"machines": "nspawn", "root_layer": image(folder)}


def image(folder: Path) -> Path:
    """Make what an image of one's own has over Debian: a virtual environment with PACKAGES."""
    place = folder / "image/opt/image"
    version = ".".join(map(str, DEBIAN_PYTHON))
    packages = place / f"lib/python{version}/site-packages"
    packages.mkdir(parents=True)
    (place / "bin").mkdir()
    (place / "bin/python").symlink_to(f"/usr/bin/python{version}")
    (place / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    here = [
        f"{one.name}=={one.version}"
        for one in importlib.metadata.distributions()
        if one.name != "ipcluster-azure"
    ]
    (folder / "constraints.txt").write_text("\n".join(here))
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet", f"--target={packages}"),
            # packages that are here may need a patch release that Debian's Python has not reached
            *(
                f"--python-version={platform.python_version()}",
                f"--constraints={folder / 'constraints.txt'}",
            ),
            *PACKAGES,
        ],
        check=True,
    )
    for path in (folder, folder / "image"):
        path.chmod(0o755)
    return folder / "image"


def stand_in_front_of(emulator: EmulatorInfo) -> None:
    """Bring the calling thread, and what it starts from now on, in front of the machines."""
    if not emulator.network_namespace:
        return
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: Any) -> None:
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), name)

    descriptor = os.open(f"/run/netns/{emulator.network_namespace}", os.O_RDONLY)
    try:
        call("setns", descriptor, CLONE_NEWNET)
    finally:
        os.close(descriptor)
    # and with the laptop's own DNS, as `ip netns exec` has it
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC | MS_SLAVE, None)
    resolver = f"/etc/netns/{emulator.network_namespace}/resolv.conf".encode()
    call("mount", resolver, b"/etc/resolv.conf", None, MS_BIND, None)


def home_files(emulator_folder: str, name: str) -> list[Path]:
    """Return the files of that name below the home folders of all machines of an emulator."""
    disk = "disk/upper/" if REAL else ""
    return [*Path(emulator_folder).glob(f"machines/*/{disk}home/*/{name}")]


def as_its_machine_sees(path: Path) -> Path:
    """Return where a file that home_files found can be written to.

    An overlay may miss what is changed below it.
    """
    if not REAL:
        return path
    inside, content = Path(*path.parts[path.parts.index("upper") + 1 :]), path.read_bytes()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            seen = entry / "root" / inside
            if seen.read_bytes() == content:
                return seen
    raise LookupError(f"no machine that runs has {path}")


def id_here(pid: int, word: str) -> int:
    """Return the id, on this computer, of a machine's process `pid` that has `word` in its name."""
    if not REAL:
        return pid
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            status = (entry / "status").read_text()
            inside = status.partition("NSpid:")[2].partition("\n")[0].split()
            if inside[-1] == str(pid) and word in (entry / "cmdline").read_text():
                return int(entry.name)
    raise LookupError(f"no machine has a process {pid} of {word}")
