"""Runs on an engines' machine, with any Python from 3.8 on and its standard library alone.

    take.py HOST PORT PATH SHA256 FILE

Takes the bundle (ssh/bundle.py) from the controller's machine, where vm_depot.py offers it at
http://HOST:PORT/PATH, and writes it to FILE if it has the hash that came over SSH. This is the
first thing that the machine runs. On the emulator many machines share a computer, so this imports
little: without http.client it starts in half the time.
"""

import hashlib
import socket
import sys

TIMEOUT_S = 30.0


def main(host: str, port: str, path: str, sha256: str, file: str) -> None:
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        with connection.makefile("rb") as reply:
            head, _, bundle = reply.read().partition(b"\r\n\r\n")
    if hashlib.sha256(bundle).hexdigest() != sha256:
        status = head.partition(b"\r\n")[0].decode(errors="replace")
        sys.exit(
            f"The bundle of scripts from http://{host}:{port} is not the one that was put there: "
            f"its SHA-256 is another. The answer began with {status!r}."
        )
    with open(file, "wb") as output:
        output.write(bundle)


if __name__ == "__main__":
    main(*sys.argv[1:])
