"""Settings -> the lock of the machines' Python and the wheels that they are sent, beforehand.

Made here, beside what is asked of Azure and before anything is created; the machines only install.
"""

import asyncio
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..environment.glibc import glibc_of
from ..environment.selection import PreparedEnvironment, Selection, Target
from ..plan.image import Image
from ..progress import Progress
from ..resource_manager.api import bridge
from ..settings.environment_checks import IMAGE
from ..settings.values import Settings
from .planning import Site

ARCHITECTURES = {"x64": "x86_64", "Arm64": "aarch64"}  # Azure's words and Linux'
# Azure's names of sizes with Arm processors have a p behind the number of vCPUs
ARM_SIZE = re.compile(r"(standard_)?[a-z]+\d+(-\d+)?[a-z]*p[a-z]*(_|$)", re.IGNORECASE)


def selection_of(settings: Settings) -> Selection:
    """Return which packages the settings ask for, with what this process has imported so far."""
    return Selection(
        kind=settings.python_environment,
        requirements=settings.requirements,
        sync_python=settings.sync_python,
        python_lock=settings.python_lock,
        sync_exclude=settings.sync_exclude,
        sync_accept=settings.sync_accept,
        sync_strict=settings.sync_strict,
        imported=frozenset() if settings.sync_python else imported_here(sys.modules),
    )


def imported_here(modules: Mapping[str, object]) -> frozenset[str]:
    """Return the names of the top-level modules among these that don't belong to Python itself."""
    tops = {name.partition(".")[0] for name in modules}
    return frozenset(tops - sys.stdlib_module_names - set(sys.builtin_module_names))


def modules_of_packages(modules: Mapping[str, object]) -> list[str]:
    """Return the names of all modules among these that don't belong to Python itself, in their
    order: what this process has imported, engines will soon import."""
    tops = imported_here(modules)
    return [name for name in modules if name.partition(".")[0] in tops]


def expected_target(settings: Settings) -> Target:
    """Return what the machines will run, as far as it is known before Azure is asked."""
    arm = any(ARM_SIZE.match(size) for size in settings.vm_size[:1])
    return _target(settings, "aarch64" if arm else "x86_64")


def target_of(settings: Settings, image: Image) -> Target:
    """Return what the machines run, once Azure has described their image."""
    architecture = ARCHITECTURES.get(image.architecture, expected_target(settings).architecture)
    return _target(settings, architecture)


def _target(settings: Settings, architecture: str) -> Target:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Target(python, architecture, glibc_of(settings.image))


async def prepare_python(
    settings: Settings, folder: Path, progress: Progress, finding: "asyncio.Future[Site]"
) -> PreparedEnvironment | None:
    """Make the lock and the wheels in `folder`; None where the image's own Python is used.

    Begins before `finding` has told what the machines are, as it nearly always is what their size
    is called after; else it is made anew. Raises ConfigurationError that names all packages at
    once which can't be had.
    """
    if settings.python_environment == IMAGE:
        return None
    loop = asyncio.get_running_loop()

    def say(text: str) -> None:  # from another thread
        with suppress(RuntimeError):  # the loop is closed: the start has ended before
            loop.call_soon_threadsafe(progress.say, text)

    selection, expected = selection_of(settings), expected_target(settings)
    prepared = await bridge(prepare_in, folder, selection, expected, say)
    site = await asyncio.shield(finding)
    target = target_of(site.place.settings, site.image)
    if target != expected:
        prepared = await bridge(prepare_in, folder, selection, target, say)
    return replace(prepared, selection=selection, target=target)


def prepare_in(
    folder: Path, selection: Selection, target: Target, say: Callable[[str], None]
) -> PreparedEnvironment:
    """Make the lock and the wheels in `folder`. Blocks; raises ConfigurationError."""
    from ..environment.prepare import prepare  # here, in a thread, it holds up nobody

    folder.mkdir(mode=0o700, exist_ok=True)
    return prepare(selection, target, folder, say)


def tell(prepared: PreparedEnvironment, progress: Progress) -> None:
    """Say what the machines get, and what they don't."""
    progress.say(f"Python {prepared.python} on the machines: {prepared.summary}")
    for warning in prepared.warnings:
        progress.log.warning(warning)
