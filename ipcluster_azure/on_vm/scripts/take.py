"""Runs on an engines' machine, with any Python from 3.8 on and its standard library alone.

    take.py HOST PORT PATH SHA256 FILE

Takes the bundle (ssh/bundle.py) from the controller's machine, where vm_depot.py offers it at
http://HOST:PORT/PATH, and writes it to FILE if it has the hash that came over SSH. This is the
first thing that the machine runs. On the emulator many machines share a computer, so this imports
little: without http.client it starts in half the time.
"""

import hashlib
import signal
import socket
import sys

WITHIN_S = 60  # however often a byte comes
LIMIT = 64 << 20  # bytes: a bundle has some hundred thousand


def too_slow(*_: object) -> None:
    raise TimeoutError(f"it did not come within {WITHIN_S} s")


def main(host: str, port: str, path: str, sha256: str, file: str) -> None:
    source = f"The bundle of scripts from http://{host}:{port}"
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(WITHIN_S)
    try:
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            with connection.makefile("rb") as reply:
                head, _, bundle = reply.read(LIMIT).partition(b"\r\n\r\n")
    except OSError as error:
        sys.exit(f"{source} can't be had: {error}.")
    if hashlib.sha256(bundle).hexdigest() != sha256:
        status = head[:80].partition(b"\r\n")[0].decode(errors="replace")
        sys.exit(
            f"{source} is not the one that was put there: its SHA-256 is another. The answer began "
            f"with {status!r}."
        )
    with open(file, "wb") as output:
        output.write(bundle)


if __name__ == "__main__":
    main(*sys.argv[1:])
