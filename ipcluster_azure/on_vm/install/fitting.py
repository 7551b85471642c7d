"""Whether wheels can be loaded on this machine, as their names say it (PEP 600)."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence

from .lock import Package
from .steps import Failed

OLD_TAGS = {"1": (2, 5), "2010": (2, 12), "2014": (2, 17)}
MOST_NAMED = 10


def require_fitting(packages: Sequence[Package]) -> None:
    """Raise Failed, naming them, if there are wheels that this machine can't load."""
    machine, (_, libc) = platform.machine(), platform.libc_ver()
    unfit = [
        f"{package.file} {why}"
        for package in packages
        if (why := misfit(package.file, machine, version(libc)))
    ]
    if unfit:
        more = f" and {len(unfit) - MOST_NAMED} more" if len(unfit) > MOST_NAMED else ""
        raise Failed(
            f"this machine ({machine}, glibc {libc or 'unknown'}) can't load {len(unfit)} of "
            f"{len(packages)} packages: {', '.join(unfit[:MOST_NAMED])}{more}. Choose an image "
            "with a newer system, or packages for this one"
        )


def misfit(file: str, machine: str, libc: tuple[int, ...]) -> str:
    """Return why a wheel can't be loaded on a machine with this architecture and glibc, or ""."""
    tags = file[: -len(".whl")].rpartition("-")[2].split(".")
    needs = [needed for tag in tags if (needed := needed_glibc(tag, machine)) is not None]
    if not needs:
        return f"is not for {machine}"
    return f"needs glibc {'.'.join(map(str, min(needs)))}" if min(needs) > libc else ""


def needed_glibc(tag: str, machine: str) -> tuple[int, ...] | None:
    """Return which glibc a wheel with this platform tag needs; None if it is for other machines."""
    if tag in ("any", f"linux_{machine}"):
        return ()
    match = re.fullmatch(rf"manylinux(\d+|_\d+_\d+)_{re.escape(machine)}", tag)
    if not match:
        return None
    return OLD_TAGS.get(match[1]) or version(match[1].strip("_").replace("_", "."))


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
