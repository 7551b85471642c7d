"""Our programs as job files carry them: in customData, which has little room.

So they are without comments and docstrings, which are half of them, and packed as small as can be.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..record.environment import Environment
from . import archive_process
from .bundle import ENTRIES, ENTRY, ON_VM, TAKE_SCRIPT, bundle_files, controller_config
from .machine_lock import LOCK, machine_lock
from .packages import Packages
from .profile_files import CONTROLLER_CONFIG

BOOT = "vm_boot.py"
AGENT = "ipcluster_azure_vm"
# of the agent, what a machine needs to take the rest from the controller
FOR_JOINING = (
    *("__init__", "boot", "boot_controller", "boot_engines", "heartbeat", "instance_metadata"),
    *("processes", "work_dir"),
)
# its files are found by their hash alone, which is also in the lock
PYPI = "files.pythonhosted.org"


def controller_programs(
    profile_dir: Path,
    run: Sequence[tuple[str, str]],
    n_engines: int,
    packages: Packages | None,
    environment: Environment,
) -> dict[str, bytes]:
    """Return all that the controller's machine is given, as files by their names.

    `run` as for bundle_of. Raises ConfigurationError for packages that no template can carry.
    """
    files = dict(bundle_files(profile_dir, run))
    files[TAKE_SCRIPT] = (ON_VM / "scripts" / "take.py").read_bytes()
    files[f"profile/{CONTROLLER_CONFIG}.py"] = controller_config(profile_dir, n_engines)
    if packages is not None:
        files[LOCK] = pins(machine_lock(packages.lock, environment.python))
    return files


def engine_programs() -> dict[str, bytes]:
    """Return what an engines' machine needs to join, as files by their names."""
    paths = {name: ON_VM / "agent" / f"{name}.py" for name in FOR_JOINING}
    files = {f"{AGENT}/{path.name}": path.read_bytes() for path in paths.values()}
    files[BOOT] = ENTRY.format(module=ENTRIES[BOOT]).encode()
    files[TAKE_SCRIPT] = (ON_VM / "scripts" / "take.py").read_bytes()
    return files


def archives(*programs: Mapping[str, bytes]) -> list[str]:
    """Pack programs, each into an archive in text. Blocking, for half a second.

    In a process of its own, as two threads may not parse Python at a time: in CPython 3.11 and 3.12
    one of them fails (https://github.com/python/cpython/issues/106905), perhaps a user's cell.
    """
    texts = [
        {name: data.decode(errors="surrogateescape") for name, data in files.items()}
        for files in programs
    ]
    done = subprocess.run(
        [sys.executable, "-IS", archive_process.__file__],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        encoding="ascii",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # on Windows: no console window
    )
    if done.returncode:
        raise OSError(f"{archive_process.__file__} has failed: {done.stderr.strip()[-500:]}")
    made: list[str] = json.loads(done.stdout)
    return made


def pins(lock: bytes) -> bytes:
    """Return a machine's lock with only those addresses that it can't find (install/addresses.py).

    Raises ConfigurationError for packages that have none, and for addresses with a password.
    """
    content = json.loads(lock)
    built = [one["name"] for one in content["packages"] if not one["url"]]
    if built:
        raise ConfigurationError(
            f"The job files can't carry packages that were built on this computer: "
            f"{', '.join(sorted(built))}. Leave them out with sync_exclude, or put their wheels "
            "where the machines reach them, and give those addresses in requirements: "
            "'NAME @ https://...'."
        )
    secret = [one["name"] for one in content["packages"] if _has_secret(one["url"])]
    if secret:
        raise ConfigurationError(
            f"The addresses of {', '.join(sorted(secret))} have a password or a signature in them, "
            "which a job file would show to all who may read it. Leave these packages out with "
            "sync_exclude, or use an image that has them."
        )
    for one in content["packages"]:
        if urlsplit(one["url"]).hostname == PYPI:
            for name in ("url", "file", "size"):
                del one[name]
    return json.dumps(content, separators=(",", ":")).encode()


def _has_secret(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.username or parts.password or parts.query)
