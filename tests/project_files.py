"""The files of the project: those that git knows, or all that a source distribution holds."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# what is installed, built or kept by tools: as in .gitignore, plus what setuptools adds
MADE = frozenset(
    """
    .venv .venv-az __pycache__ build dist demo-output PKG-INFO
    .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
    """.split()
)


def project_files() -> list[Path]:
    """Paths relative to the project's folder, in order: what git knows or would add."""
    return sorted(_known_to_git() if (ROOT / ".git").exists() else _present())


def _known_to_git() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [Path(name) for name in done.stdout.split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


def _present() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not _is_made(name)]
        for name in names:
            if not _is_made(name):
                yield (Path(folder) / name).relative_to(ROOT)


def _is_made(name: str) -> bool:
    return name in MADE or name.endswith((".egg-info", ".pyc"))
