"""Which packages are asked for, for which machines, and what comes of it: a lock and wheels."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Selection:
    """Which packages the machines are to have, as the settings of the same names say it.

    `kind` is "sync" or "minimal". `imported` are the top-level modules that the process has
    imported whose environment is read: what they need may not be left out.
    """

    kind: str = "sync"
    requirements: tuple[str, ...] = ()
    sync_python: str = ""
    python_lock: str = ""
    sync_exclude: tuple[str, ...] = ()
    sync_accept: tuple[str, ...] = ()
    sync_strict: bool = False
    imported: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Target:
    """What the machines run: a Python's minor version on Linux, on this architecture.

    `architecture` is as platform.machine() says it there, x86_64 or aarch64; `glibc` is the version
    of the image's C library, which says what wheels it can load.
    """

    python: str
    architecture: str
    glibc: tuple[int, int]


@dataclass(frozen=True)
class PreparedEnvironment:
    """What the machines are made from.

    `lock` is a pylock.toml (PEP 751) with one wheel for each package: at an address from where the
    controller takes it, or among `wheels`, the files here that it is sent. `summary` says in one
    line what it has; `warnings` what it has not, or otherwise than here. `selection` and `target`
    are what a start has asked for.
    """

    lock: Path
    wheels: tuple[Path, ...]
    python: str
    summary: str
    warnings: tuple[str, ...] = ()
    selection: Selection | None = None
    target: Target | None = None
