"""Compiled modules for the engines' machines: once what each engine would compile else."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from .steps import log_file, run

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
# py_compile puts a whole file in place, or none: engines may import the module meanwhile.
COMPILE_IMPORTED = """
import importlib.util, os, py_compile, site, sys
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
for name in sys.stdin.read().split():
    for folder in site.getsitepackages():
        place = os.path.join(folder, *name.split("."))
        for source in (place + ".py", os.path.join(place, "__init__.py")):
            made = importlib.util.cache_from_source(source)
            if os.path.exists(source) and not os.path.exists(made):
                py_compile.compile(source, doraise=False, quiet=2)
"""


def compile_imported(root: Path, modules: Sequence[str]) -> None:
    """Begin to compile those of these modules that DIR/env has, and return meanwhile.

    It takes only time that processors are idle: engines start beside it.
    """
    names, python = root / "imported.txt", root / "env" / "bin" / "python"
    names.write_text("\n".join(modules), encoding="utf-8")
    with open(names, "rb") as given, open(log_file(root), "ab") as log:
        command: list[str | Path] = [python, "-c", COMPILE_IMPORTED]
        subprocess.Popen(command, stdin=given, stdout=log, stderr=log, start_new_session=True)


def compile_start(root: Path, archive: Path) -> None:
    """Compile what the start of an engine imports, into an archive whose paths begin at DIR."""
    python = root / "env" / "bin" / "python"
    command: list[str | Path] = [python, "-c", COMPILE, archive, root, IMPORTED_BY_ENGINES]
    run(root, "compiling what the engines need", command)
