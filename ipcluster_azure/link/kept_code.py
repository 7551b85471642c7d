"""This package's code as it was when the process started, for a process that runs for days.

A link imports what it takes to ask Azure and to delete the cluster when that is needed, hours later
or never: azure.* alone takes 10 MB. By then `pip install -U` may have put another version's files
in their place, under other names, and the cluster would cost money for ever. Code that is only
loaded takes 1 MB, and 6 ms at the start.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[1]
NOT_IMPORTED = {"clusters", "commands", "examples", "launchers"}  # by a link, ever
EMULATOR = ROOT.with_name("azure_emulator")  # its client finds out whether an emulator is gone


def keep_code() -> None:
    """Have modules that are imported from now on be what their files hold now."""
    rooms = [path for path in ROOT.iterdir() if path.is_dir() and path.name not in NOT_IMPORTED]
    loaders = {}
    for folder in (ROOT, *rooms, EMULATOR):
        for path in folder.glob("*.py"):
            parts = path.relative_to(ROOT.parent).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            if name not in sys.modules:
                loaders[name] = _KeptModule(name, str(path))
    sys.meta_path.insert(0, _KeptModules(loaders))


class _KeptModule(SourceFileLoader):
    """Loads a module from what its file held when this was made."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path)
        self._code = super().get_code(name)

    def get_code(self, fullname: str) -> CodeType | None:
        return self._code


class _KeptModules(MetaPathFinder):
    """Finds modules, by their full names, with the loaders that were made for them."""

    def __init__(self, loaders: dict[str, _KeptModule]) -> None:
        self._loaders = loaders

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if (loader := self._loaders.get(fullname)) is None:
            return None
        return spec_from_file_location(fullname, loader.path, loader=loader)
