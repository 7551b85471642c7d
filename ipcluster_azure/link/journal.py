"""The open requests of all clients, in a file: what a link that is killed still owed an answer for.

A request is noted before it is sent on, its answer once the client's connection has taken it. Lines
are appended, and nothing is synchronised with the disk: what a process has written outlives it.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

LONGEST_IDLE = 1 << 16  # bytes, while no request is open, until the file is emptied
LONGEST = 1 << 24  # bytes, until it is written anew

Asked = tuple[str, str]  # the channel, the type of the reply


class Journal:
    """The journal of one cluster's link. `left` is what an earlier link has left open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[str, Asked] = {}
        with suppress(FileNotFoundError):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._read(line.split("\t"))
        self.left = dict(self._open)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        if self._size:
            self._write_anew()

    def add(self, channel: str, replies: Mapping[str, str]) -> None:
        """Note requests: the ids that their replies will name, and the replies' types."""
        lines = []
        for msg_id, kind in replies.items():
            self._open[msg_id] = channel, kind
            lines.append(_line(msg_id, channel, kind))
        self._append("".join(lines))

    def remove(self, msg_ids: Iterable[str]) -> None:
        """Note that these need no answer any more."""
        gone = [msg_id for msg_id in msg_ids if self._open.pop(msg_id, None) is not None]
        self._append("".join(f"{msg_id}\n" for msg_id in gone))
        if self._size > (LONGEST if self._open else LONGEST_IDLE):
            self._write_anew()

    def close(self) -> None:
        os.close(self._file)

    def _read(self, words: list[str]) -> None:
        if len(words) == 3:
            self._open[words[0]] = words[1], words[2]
        elif len(words) == 1:
            self._open.pop(words[0], None)

    def _append(self, text: str) -> None:
        if text:
            self._size += os.write(self._file, text.encode())

    def _write_anew(self) -> None:
        """Write what is open alone. In place: under another name first, it could come back after
        the cluster's files were erased."""
        text = "".join(_line(msg_id, *asked) for msg_id, asked in self._open.items())
        os.ftruncate(self._file, 0)
        self._size = 0
        self._append(text)


def _line(msg_id: str, channel: str, kind: str) -> str:
    return f"{msg_id}\t{channel}\t{kind}\n"
