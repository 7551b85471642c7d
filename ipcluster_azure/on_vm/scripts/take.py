"""Runs on an engines' machine, with any Python from 3.8 on and its standard library alone.

    take.py HOST PORT PATH SHA256 FILE [PATH SHA256 FILE]

Takes the bundle (ssh/bundle.py) from the controller's machine, where vm_depot.py offers it at
http://HOST:PORT/PATH, and writes it to FILE if it has the hash that came over SSH; then the user's
own files likewise, if there are any. This is the first thing that the machine runs. On the emulator
many machines share a computer, so this imports little: without http.client it starts in half the
time.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sys

CHUNK = 1 << 20
# seconds that each may take, however often a byte comes, and bytes that it may have
BUNDLE, OWN_FILES = (60, 64 << 20), (300, 2 << 30)


def receive(host: str, port: str, path: str, file: str, limit: int) -> tuple[str, bytes]:
    """Write the answer's body to a file; returns its hash, and the answer's first line."""
    digest = hashlib.sha256()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        with connection.makefile("rb") as reply, open(file, "wb") as output:
            status = reply.readline(80)
            while reply.readline(CHUNK).strip():
                pass
            while limit > 0 and (chunk := reply.read(CHUNK)):
                limit -= len(chunk)
                digest.update(chunk)
                output.write(chunk)
    return digest.hexdigest(), status


def take(what: str, limits: tuple[int, int], server: tuple[str, str], words: list[str]) -> None:
    """Take one archive; `words` are its path there, its hash, and the file that it becomes."""
    path, sha256, file = words
    source = f"{what} from http://{':'.join(server)}"
    within_s, limit = limits

    def too_slow(*_: object) -> None:
        raise TimeoutError(f"it did not come within {within_s} s")

    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(within_s)
    try:
        found, status = receive(*server, path, f"{file}.new", limit)
    except OSError as error:
        sys.exit(f"{source} can't be had: {error}.")
    if found != sha256:
        sys.exit(
            f"{source} is not the one that was put there: its SHA-256 is another. The answer began "
            f"with {status.decode(errors='replace').strip()!r}."
        )
    os.replace(f"{file}.new", file)


def main(host: str, port: str, *words: str) -> None:
    take("The bundle of scripts", BUNDLE, (host, port), [*words[:3]])
    if words[3:]:
        take("The archive of your files", OWN_FILES, (host, port), [*words[3:]])


if __name__ == "__main__":
    main(*sys.argv[1:])
