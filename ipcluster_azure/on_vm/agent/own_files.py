"""The user's own files on an engine: where modules are imported from, and what is new of them.

Before each task an engine looks whether files came (one stat); then whatever it has imported of
them is imported anew. Neither importlib.reload in some order nor a reload of the changed ones alone
is enough: a module that said `from changed import f` keeps the old f. So all of the user's modules
leave sys.modules together, and their state with them. Nothing changes within a task.
Likewise it looks for packages that came, which it can import from then on.
Standard library alone; `%sync` does the same to the modules of a notebook's kernel.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

MANIFEST = "files.json"  # in the work directory; own_files/manifest.py writes it
ENVIRONMENT = "environment.json"  # beside it; replaced whenever packages were installed
Stamp = tuple[int, int]


class OwnFiles:
    """What one engine has of the user's files. `home` is where they lie, its working directory."""

    def __init__(self, home: Path, manifest: Path) -> None:
        self._home, self._manifest = home, manifest
        self._environment = manifest.with_name(ENVIRONMENT)
        self._seen: Stamp | None = None
        self._installed: Stamp | None = None
        self._files: Mapping[str, Any] = {}

    def use(self, kernel: Any) -> None:
        """Take what is there, and have the kernel look again before each task."""
        self.look({})

        def looking(run: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(run)  # ipykernel looks at the parameters of do_execute
            def look_and_run(*args: Any, **kwargs: Any) -> Any:
                self.look(kernel.shell.user_ns)
                return run(*args, **kwargs)

            return look_and_run

        for name in ("do_apply", "do_execute"):
            setattr(kernel, name, looking(getattr(kernel, name)))

    def look(self, namespace: MutableMapping[str, Any]) -> None:
        """Take what came since the last look; `namespace` may hold names from old modules."""
        installed, self._installed = self._installed, _stamp(self._environment)
        if installed != self._installed:
            importlib.invalidate_caches()
        seen = _stamp(self._manifest)
        if seen is None or seen == self._seen:
            return
        self._seen = seen
        manifest = json.loads(self._manifest.read_text(encoding="utf-8"))
        before, self._files = self._files, manifest["files"]
        names = before.keys() | self._files.keys()
        changed = [name for name in names if before.get(name) != self._files.get(name)]
        for place in reversed(["", *manifest["search"]]):
            folder = str(self._home / place)
            if folder not in sys.path:  # behind "", which the engine's own start puts first
                sys.path.insert(1, folder)
        importlib.invalidate_caches()
        if before and any(name.endswith(".py") for name in changed):
            for error in renew({str(self._home / name) for name in names}, namespace):
                traceback.print_exception(error)


def _stamp(path: Path) -> Stamp | None:
    """Return what changes when a file is replaced; None if there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def renew(files: Iterable[str], namespace: MutableMapping[str, Any]) -> list[BaseException]:
    """Have the modules made of these files imported anew at their next use.

    Names in `namespace` for such modules, their functions and classes stand for the new ones
    afterwards. Returns what was raised by modules that this had to import for that.
    """
    places = {os.path.realpath(file) for file in files}
    loaded = list(sys.modules.items())
    old = {name: it for name, it in loaded if name != "__main__" and _file(it) in places}
    for name in old:
        del sys.modules[name]
    importlib.invalidate_caches()
    errors: dict[str, BaseException] = {}
    for name, value in list(namespace.items()):
        module = _module_of(value)
        if module not in old or module in errors:
            continue
        try:
            new: Any = importlib.import_module(module)
        except BaseException as error:
            errors[module] = error
            continue
        part = getattr(value, "__qualname__", "")
        if not part:
            namespace[name] = new
        elif getattr(old[module], part, None) is value:
            namespace[name] = getattr(new, part, value)
    return list(errors.values())


def _file(module: Any) -> str | None:
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else None


def _module_of(value: Any) -> str:
    """Return the name of a module, or that of a function's or class's; empty for anything else."""
    if isinstance(value, ModuleType):
        return value.__name__
    return str(value.__module__) if isinstance(value, (type, FunctionType)) else ""
