"""Under which names a distribution's modules are imported."""

from __future__ import annotations

import os
import re

from .metadata import PROJECT_FILES, Found

MODULE_ENDS = (".py", ".so", ".pyd")


def top_level(found: Found) -> set[str]:
    """Return the names under which its modules are imported, as far as can be told."""
    told = found.text("top_level.txt").split()
    if told:
        return set(told)
    names = set()
    for row in found.record or []:
        first, _, rest = row[0].partition("/")
        if rest and row[0].endswith(MODULE_ENDS) and first != ".." and not first.endswith("-info"):
            names.add(first)
        elif not rest and first.endswith(MODULE_ENDS) and not first.startswith("__editable__"):
            names.add(first.split(".")[0])
        elif not rest and first.endswith(".pth"):
            names |= modules_of_pth(os.path.join(found.location, first))
    names -= {"__pycache__"}
    return names or {re.sub(r"[-.]+", "_", found.name)}


def modules_of_pth(path: str) -> set[str]:
    """Return what an editable installation's .pth file makes importable."""
    names = set()
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            folders = [line.strip() for line in file if not line.startswith("import ")]
        for folder in filter(os.path.isdir, folders):
            for entry in os.scandir(folder):
                if os.path.exists(os.path.join(entry.path, "__init__.py")):
                    names.add(entry.name)
                elif entry.name.endswith(MODULE_ENDS) and entry.name not in PROJECT_FILES:
                    names.add(entry.name.split(".")[0])
    except OSError:
        return names
    return names
