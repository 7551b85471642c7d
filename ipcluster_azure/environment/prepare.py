"""The environment of here -> one lock for the machines, and the wheels that are sent there.

Read this first. What is installed is read (installed.py), and pinned (sync.py): uv finds wheels of
the same versions, and what only Linux needs, on the indexes that are configured here (indexes.py,
resolve.py). One wheel of each is chosen for the machines (choose.py). What no index has, or none
that they reach, is made or fetched here (carry.py, fetch.py).
"""

import os
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from filelock import FileLock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .carry import Carrier
from .choose import Chooser
from .complete import completed
from .finish import finish
from .given import Given, files_of, path_of, with_urls_of
from .indexes import indexes_of
from .installed import Installed, read_environment
from .kept import keep, kept, key_of, paths_for, stamps
from .left_out import judge
from .lock import write_lock
from .own_needs import own_needs
from .resolve import Resolver
from .selection import PreparedEnvironment, Selection, Target
from .sync import Pinning
from .telling import Say, Telling
from .told import Content, content_of, content_of_lock, summary_of
from .wanted import IPYPARALLEL, wanted_of

COMMIT = re.compile(r"@[0-9a-f]{40}\b")
MINIMAL = (IPYPARALLEL, "numpy")


def prepare(selection: Selection, target: Target, folder: Path, say: Say) -> PreparedEnvironment:
    """Return what the machines are made from; it is kept in `folder`, which must exist.

    Another interpreter that is read may be of another minor version than the target's: its own is
    what the machines get then.
    Blocks for seconds, and takes what is kept there if nothing has changed. `say` is called with a
    line every few seconds meanwhile, from a thread of its own. Raises ConfigurationError that names
    all that the machines can't have.
    """
    with Telling(say) as telling, FileLock(folder / "pylock.lock"):
        installed = _read(selection)
        if selection.sync_python and not selection.python_lock:
            target = replace(target, python=".".join(installed.python.split(".")[:2]))
        return prepare_from(installed, selection, target, folder, telling)


def prepare_from(
    installed: Installed, selection: Selection, target: Target, folder: Path, telling: Telling
) -> PreparedEnvironment:
    """The same, of what is installed here."""
    given = path_of(selection.python_lock) if selection.python_lock else None
    place = given.parent if given else Path.cwd()
    indexes = indexes_of(installed.data_roots[0], os.environ, place)
    if given:
        indexes = with_urls_of(given, indexes)
    paths = paths_for(folder, target)
    asked = replace(selection, imported=frozenset())
    files = [path.read_bytes() for path in files_of(given) if path.is_file()] if given else []
    key = key_of(installed, asked, target, indexes.key, stamps(installed), files)
    if before := kept(paths, key, selection.imported):
        return before
    paths.wheels.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ipcluster-azure-") as name:
        carrier = Carrier(installed, Chooser(target), indexes, Path(name), telling)
        # the constraints of a project in the working directory are none of what is installed
        resolver = Resolver(target, indexes, sys.executable, place if given else Path(name))
        lock = Given(given, resolver) if given else None
        content = _content(selection, lock, resolver, carrier)
        telling.now("Getting the packages that the machines don't reach")
        packages = finish(content.packages, content.patched, carrier, paths.wheels)
    write_lock(paths.lock, packages, target)
    prepared = PreparedEnvironment(
        lock=paths.lock,
        wheels=tuple(item.wheel.path for item in packages if item.wheel.path is not None),
        python=target.python,
        summary=summary_of(content, packages),
        warnings=content.warnings,
    )
    imported = sorted(selection.imported) if content.left_out.missing else None
    keep(paths, "" if _moves(content, selection) else key, prepared, imported)
    return prepared


def _content(
    selection: Selection, lock: Given | None, resolver: Resolver, carrier: Carrier
) -> Content:
    wanted = wanted_of(selection, resolver.target, carrier.installed, carrier)
    if lock is None:
        return _from_installed(carrier.installed, selection, wanted, resolver, carrier)
    done = completed(lock.packages(), wanted, resolver)
    return content_of_lock(done, bool(selection.requirements))


def _read(selection: Selection) -> Installed:
    """This process' own environment is where it finds modules, which a program may have changed."""
    if selection.sync_python and not selection.python_lock:
        return read_environment(selection.sync_python)
    return read_environment(sys.executable, sys.path)


def _moves(content: Content, selection: Selection) -> bool:
    """Whether the same settings may mean something else tomorrow: a folder, or a git branch."""
    folders = [item for item in content.packages if item.source and item.source.folder]
    branches = [text for text in selection.requirements if "git+" in text]
    return bool(folders) or not all(COMMIT.search(text) for text in branches)


def _from_installed(
    installed: Installed,
    selection: Selection,
    wanted: list[Requirement],
    resolver: Resolver,
    carrier: Carrier,
) -> Content:
    minimal = selection.kind == "minimal"
    all_here = installed.distributions
    own = frozenset[str]() if minimal else own_needs(all_here, installed.markers)
    excluded = {canonicalize_name(name) for name in selection.sync_exclude} - {IPYPARALLEL}
    kept = [
        item
        for item in all_here
        if (item.name in MINIMAL if minimal else item.name not in excluded | own)
    ]
    pinning = Pinning(kept, installed, selection, wanted, resolver, carrier)
    pinning.prefer([item for item in all_here if item.name in own - excluded])
    pinned = pinning.run()
    left_out = judge(pinning, installed, selection, resolver)
    content = content_of(pinned, left_out, installed, bool(selection.requirements))
    content = replace(content, staying=len(own - pinned.names()))
    if minimal:
        names = frozenset(package.name for package in content.packages)
        content = replace(content, own=names)
    return content
