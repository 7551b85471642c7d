"""Compiled modules for the engines' machines: once here what each of them would compile else."""

from __future__ import annotations

from pathlib import Path

from .steps import run

IMPORTED_BY_ENGINES = "ipyparallel.engine.app, ipykernel.ipkernel, numpy"
# A compiled module has the date of its source in its head, or as here the source's hash: so it fits
# on another machine, where the source has another date, but not a source that somebody changes.
COMPILE = """
import importlib.util, io, os, struct, sys, tarfile
archive, root, modules = sys.argv[1:]
for name in modules.split(", "):
    try:
        __import__(name)
    except ImportError as error:
        print(error)
env = os.path.join(root, "env", "")
with tarfile.open(archive + ".new", "w") as tar:
    for module in list(sys.modules.values()):
        source = getattr(module, "__file__", None) or ""
        made = getattr(module, "__cached__", None) or ""
        if not made.startswith(env) or not os.path.exists(made):
            continue
        with open(source, "rb") as text, open(made, "rb") as compiled:
            head = importlib.util.MAGIC_NUMBER + struct.pack("<I", 3)
            data = head + importlib.util.source_hash(text.read()) + compiled.read()[16:]
        entry = tarfile.TarInfo(os.path.relpath(made, root))
        entry.size, entry.mode = len(data), 0o600
        tar.addfile(entry, io.BytesIO(data))
os.replace(archive + ".new", archive)
"""


def compile_start(root: Path, archive: Path) -> None:
    """Compile what the start of an engine imports, into an archive whose paths begin at DIR."""
    python = root / "env" / "bin" / "python"
    command: list[str | Path] = [python, "-c", COMPILE, archive, root, IMPORTED_BY_ENGINES]
    run(root, "compiling what the engines need", command)
