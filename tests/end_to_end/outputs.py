"""No process of a test prints a traceback: what each has said is kept, and looked through.

It is done wherever a test's processes are started, and at the end of the test, so that no test has
to think of it.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

MARKS = ("Traceback", "never retrieved", "Task was destroyed")


def assert_no_traceback(output: str) -> None:
    """Fail with the whole output if a start, a stop or any other command printed a traceback."""
    for mark in MARKS:
        assert mark not in output, output


@dataclass
class Outputs:
    """What the processes of one test have said. Each is a function, as some still say more."""

    _said: list[Callable[[], str]] = field(default_factory=list)

    def keep(self, said: Callable[[], str], *, traceback_because: str = "") -> None:
        """Look through this at the end, unless `traceback_because` says why it may have one: a
        program of the user's that does not handle what we raise, for example."""
        if not traceback_because:
            self._said.append(said)

    def keep_file(self, path: Path) -> None:
        self.keep(lambda: path.read_text(encoding="utf-8", errors="replace"))

    def check(self) -> None:
        for said in self._said:
            assert_no_traceback(said())


class Process(subprocess.Popen[str]):
    """A process that a test reads from; `said` is what was read of its output."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        self._parts: list[str] = []
        self.stdout = _Kept(self.stdout, self._parts)  # type: ignore[assignment,arg-type]

    def said(self) -> str:
        return "".join(self._parts)

    def communicate(self, *args: Any, **kwargs: Any) -> tuple[str, str]:
        output, errors = super().communicate(*args, **kwargs)
        self._parts.append(output)
        return output, errors


class _Kept:
    """A stream that remembers what was read from it, line by line or as a whole."""

    def __init__(self, stream: TextIO, parts: list[str]) -> None:
        self._stream, self._parts = stream, parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self) -> str:
        return self._note(self._stream.read())

    def readline(self) -> str:
        return self._note(self._stream.readline())

    def __iter__(self) -> Iterator[str]:
        return iter(self.readline, "")

    def _note(self, text: str) -> str:
        self._parts.append(text)
        return text
