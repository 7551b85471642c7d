"""Modules of the user's that have the name of another one, which is then hidden on the engines."""

import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import PurePath

from .manifest import Manifest


def hidden(manifest: Manifest) -> list[str]:
    """Return at most two lines of warning: Python's own modules hidden, and installed ones."""
    names = sorted(set(_top_level(manifest)))
    own = [name for name in names if name in sys.stdlib_module_names]
    installed = [name for name in names if name not in own and _is_installed(name)]
    lines = []
    if own:
        lines.append(
            f"{', '.join(own)} among your modules hides Python's own of that name, which other "
            "code needs: rename it"
        )
    if installed:
        lines.append(f"{', '.join(installed)} among your modules hides the installed package")
    return lines


def _top_level(manifest: Manifest) -> Iterable[str]:
    for name in manifest.files:
        for folder in ("", *manifest.search):
            if name.startswith(folder and f"{folder}/"):
                first, _, rest = name[len(folder) :].lstrip("/").partition("/")
                if rest and not _is_package(manifest, folder, first):
                    continue
                if rest or name.endswith(".py"):
                    yield first.removesuffix(".py")


def _is_package(manifest: Manifest, folder: str, first: str) -> bool:
    return "/".join(filter(None, (folder, first, "__init__.py"))) in manifest.files


def _is_installed(name: str) -> bool:
    """Return whether packages of this Python have a module of this name; a mere folder is none."""
    places = [
        path for path in sys.path if PurePath(path).name in ("site-packages", "dist-packages")
    ]
    spec = PathFinder.find_spec(name, places)
    return spec is not None and spec.origin is not None
