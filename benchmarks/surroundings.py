"""On what the figures were measured: the date, the computer, and the versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

PACKAGES = ("ipcluster-azure", "ipyparallel", "asyncssh", "azure-mgmt-compute", "pyzmq")


def cpu_model() -> str:
    """As the kernel names it, else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def described(packages: Sequence[str] = ()) -> str:
    """One line; `packages`: "name version" of what is measured besides this environment's."""
    today = datetime.now(timezone.utc).date().isoformat()
    computer = f"{cpu_model()}, {len(os.sched_getaffinity(0))} cores, {memory_gb():.0f} GiB"
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{today} on {computer}; {system}, {', '.join((*versions, *packages))}"
