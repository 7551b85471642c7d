"""What the Python of a machine has, and how that differs from its lock. Standard library.

The environment is the one that this process runs in, which engines run in, too.
"""

from __future__ import annotations

import argparse
import re
import sys
import sysconfig
from importlib import metadata

from .processes import Json
from .work_dir import WorkDir, emit, read_json

LOCK = "wheels.json"  # of the work directory: what the environment was made of, unless by the image
# what is sent between client and engines depends on these on both sides
PICKLED_BY = "ipyparallel ipykernel pyzmq numpy pandas scipy cloudpickle dill".split()


def found_environment(work: WorkDir) -> Json:
    """Return what the event "ready" says of the environment.

    "packages" has the versions of PICKLED_BY, without those that aren't there; "differences" are
    those from the lock: [{"name", "locked", "found"}], with None for what one side doesn't have.
    """
    packages = {name: version for name in PICKLED_BY if (version := _version(name))}
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "ipyparallel": packages.get("ipyparallel"),
        "packages": packages,
        "differences": differences(read_json(work.root / LOCK).get("packages", [])),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def differences(packages: list[Json]) -> list[Json]:
    """Compare the installed distributions with the packages of a lock, sorted by name.

    Without packages there is no lock, and nothing differs.
    """
    if not packages:
        return []
    locked = {normalized(package["name"]): package["version"] for package in packages}
    found = installed()
    return [
        {"name": name, "locked": locked.get(name), "found": found.get(name)}
        for name in sorted({*locked, *found})
        if not same_version(locked.get(name), found.get(name))
    ]


def installed() -> dict[str, str]:
    """Return the versions of all distributions in this environment, by normalized name.

    What PYTHONPATH adds is its user's business.
    """
    folders = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    return {
        normalized(name): distribution.version
        for distribution in metadata.distributions(path=list(folders))
        if (name := distribution.metadata["Name"])
    }


def normalized(name: str) -> str:
    """Return a package's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def same_version(one: str | None, other: str | None) -> bool:
    """Return whether versions are the same, however they are written: 2025.01 is 2025.1."""
    if one is None or other is None or one == other:
        return one == other
    try:
        from packaging.version import Version

        return Version(one) == Version(other)
    except (ImportError, ValueError):
        return False


def compare_command(args: argparse.Namespace) -> int:
    """`vm_agent.py compare`: an event with the packages of this machine, and how they differ from
    its lock."""
    emit("compared", **found_environment(WorkDir(args.dir)))
    return 0
