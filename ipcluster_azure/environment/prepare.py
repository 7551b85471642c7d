"""The environment of here -> one lock for the machines, and the wheels that are sent there.

Read this first. What is installed is read (installed.py), and pinned (sync.py): uv finds wheels of
the same versions, and what only Linux needs, on the indexes that are configured here (indexes.py,
resolve.py). One wheel of each is chosen for the machines (choose.py). What no index has, or none
that they reach, is made or fetched here (carry.py, fetch.py).
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from filelock import FileLock
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import ConfigurationError
from .carry import Carrier
from .choose import Chooser
from .finish import finish
from .indexes import indexes_of
from .installed import Distribution, Installed, read_environment
from .kept import keep, kept, key_of, paths_for
from .left_out import judge
from .lock import markers_of, write_lock
from .resolve import Resolver
from .selection import PreparedEnvironment, Selection, Target
from .sync import Pinning
from .telling import Say, Telling
from .told import summary_of, warnings_of

IPYPARALLEL = "ipyparallel"
MINIMAL = (IPYPARALLEL, "numpy")


def prepare(selection: Selection, target: Target, folder: Path, say: Say) -> PreparedEnvironment:
    """Return what the machines are made from; it is kept in `folder`, which must exist.

    Blocks for seconds, and takes what is kept there if nothing has changed. `say` is called with a
    line every few seconds meanwhile, from a thread of its own. Raises ConfigurationError that names
    all that the machines can't have.
    """
    with Telling(say) as telling, FileLock(folder / "pylock.lock"):
        installed = _read(selection)
        indexes = indexes_of(installed.data_roots[0], os.environ, Path.cwd())
        paths = paths_for(folder, target)
        key = key_of(installed, replace(selection, imported=frozenset()), target, indexes.key)
        if before := kept(paths, key, selection.imported):
            return before
        telling.now("Finding the packages for the machines")
        paths.wheels.mkdir(mode=0o700, exist_ok=True)
        chooser = Chooser(target)
        carrier = Carrier(installed, chooser, paths.wheels)
        resolver = Resolver(target, indexes, sys.executable, Path.cwd())
        distributions, wanted = _kept(installed, selection), _wanted(selection, target)
        pinning = Pinning(distributions, installed, selection, wanted, resolver, carrier)
        pinned = pinning.run()
        left_out = judge(pinning, installed, selection, resolver)
        telling.now("Getting the packages that the machines don't reach")
        packages = finish(pinned.packages, chooser, carrier, indexes, paths.wheels)
        write_lock(paths.lock, packages, target)
        prepared = PreparedEnvironment(
            lock=paths.lock,
            wheels=tuple(item.wheel.path for item in packages if item.wheel.path is not None),
            python=target.python,
            summary=summary_of(pinned, packages, left_out, installed),
            warnings=warnings_of(pinned, left_out, installed, selection),
        )
        keep(paths, key, prepared, sorted(selection.imported) if left_out.missing else None)
        return prepared


def _read(selection: Selection) -> Installed:
    """This process' own environment is where it finds modules, which a program may have changed."""
    if selection.sync_python:
        return read_environment(selection.sync_python)
    return read_environment(sys.executable, sys.path)


def _kept(installed: Installed, selection: Selection) -> list[Distribution]:
    if selection.kind == "minimal":
        return [item for item in installed.distributions if item.name in MINIMAL]
    excluded = {canonicalize_name(name) for name in selection.sync_exclude} - {IPYPARALLEL}
    return [item for item in installed.distributions if item.name not in excluded]


def _wanted(selection: Selection, target: Target) -> list[Requirement]:
    """The requirements that apply there."""
    markers = markers_of(target)
    wanted = []
    for text in selection.requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise ConfigurationError(f"requirements: {text!r}: {error}") from None
        if requirement.marker is None or requirement.marker.evaluate(markers):
            wanted.append(requirement)
    return wanted
