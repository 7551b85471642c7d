"""Which Python a client runs, and where its packages are: no message of its tells that.

The files that a process has mapped into its memory say it: the interpreter itself, and compiled
modules, among which every client has those of pyzmq.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from .client_processes import Route, routes_of

MINORS = (  # of programs and libraries; of compiled modules; the same of Windows; of macOS
    r"python3\.(\d+)",
    r"\.cpython-3(\d+)",
    r"\.cp3(\d+)-win|python3(\d{2})\.dll",
    r"Python\.framework/Versions/3\.(\d+)",
)
MINOR = re.compile("|".join(MINORS))
OF_PYZMQ = re.compile(r"(.+)[/\\]zmq[/\\]backend[/\\]")


@dataclass(frozen=True)
class Interpreter:
    """A client's. `python` is its minor version, such as 3.11; empty if it can't be told. `folders`
    are those of its installed packages."""

    python: str
    folders: tuple[str, ...]


def interpreter_of(pid: int, route: Route) -> Interpreter | None:
    """Return what the process with this connection runs; None if we can't see it.

    A process of a container has another id here than in its messages. Takes 5 ms or so.
    """
    if route not in (routes_of(pid) or ()):
        return None
    try:
        files = set(_mapped(psutil.Process(pid)))
    except (psutil.Error, OSError):
        return None
    return interpreter_with(files)


def interpreter_with(files: Iterable[str]) -> Interpreter:
    """Return which interpreter has these files mapped: most of them say so."""
    minors: Counter[str] = Counter()
    folders = set()
    for file in files:
        minors.update({number for match in MINOR.findall(file) for number in match if number})
        if found := OF_PYZMQ.match(file):
            folders.add(found[1])
    python = f"3.{minors.most_common(1)[0][0]}" if minors else ""
    return Interpreter(python, tuple(sorted(folders)))


def _mapped(process: psutil.Process) -> Iterator[str]:
    yield process.exe()
    maps = Path(f"/proc/{process.pid}/maps")
    if maps.exists():  # psutil adds up the memory of each as well, which takes ten times as long
        for line in maps.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            if "/" in line:
                yield line[line.index("/") :]
    elif hasattr(process, "memory_maps"):  # not on macOS: the program's path must do there
        yield from (item.path for item in process.memory_maps())
