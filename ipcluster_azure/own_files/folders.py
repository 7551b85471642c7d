"""What a folder holds, and what is never looked into."""

import os
from pathlib import Path

# caches, and what an installer brings: on the machines it comes as packages, or not at all
NEVER = frozenset("__pycache__ node_modules site-packages dist-packages".split())
ENVIRONMENT_MARKS = frozenset(["pyvenv.cfg", "conda-meta"])  # of a virtual environment, or conda's


def is_left_out(name: str) -> bool:
    """Return whether a folder or file of this name goes only where the user names it."""
    return name.startswith(".") or name in NEVER or name.endswith((".egg-info", ".dist-info"))


def listing(folder: Path) -> list["os.DirEntry[str]"]:
    """Return what a folder holds, sorted, less what is left out; nothing of an environment.

    Raises OSError if it can't be read.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if any(entry.name in ENVIRONMENT_MARKS for entry in found):
        return []
    return [entry for entry in found if not is_left_out(entry.name)]


def everything(folder: Path) -> tuple[dict[str, Path], list[Path]]:
    """Return all files of a folder by their paths in it, and the folders that can't be read.

    Links are followed, but into no folder twice on the way down. What is no plain file, such as a
    pipe or a broken link, is passed over.
    """
    files: dict[str, Path] = {}
    unread: list[Path] = []

    def look(path: Path, prefix: str, above: frozenset[str]) -> None:
        real = os.path.realpath(path)
        if real in above:
            return
        try:
            entries = listing(path)
        except OSError:
            unread.append(path)
            return
        for entry in entries:
            if entry.is_dir():
                look(Path(entry.path), f"{prefix}{entry.name}/", above | {real})
            elif entry.is_file():
                files[prefix + entry.name] = Path(entry.path)

    look(folder, "", frozenset())
    return files, unread
