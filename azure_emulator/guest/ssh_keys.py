"""SSH keys: those of the users who may log in to a machine, and those it identifies itself by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asyncssh

ACCEPTED = ("ssh-rsa", "ssh-ed25519")  # what Azure takes; it refuses ECDSA


def is_accepted(text: Any) -> bool:
    """Return whether `text` is an OpenSSH public key of a kind that Azure accepts."""
    try:
        key = asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, AttributeError, TypeError, ValueError):
        return False
    return key.get_algorithm() in ACCEPTED


def generate(algorithm: str) -> tuple[str, str]:
    """Return a new pair of one of the ACCEPTED kinds in OpenSSH's format: (public, private)."""
    size: dict[str, Any] = {"key_size": 3072} if algorithm == "ssh-rsa" else {}
    key = asyncssh.generate_private_key(algorithm, **size)
    return key.export_public_key().decode().strip(), key.export_private_key().decode()


def host_keys(
    texts: Sequence[str], directory: Path, say: Callable[[str], None]
) -> list[asyncssh.SSHKey]:
    """Return the host keys that customData gives, else one that the machine keeps over restarts.

    Keys that can't be read are left out and reported to `say`, the machine's log.
    """
    keys = []
    for text in texts:
        try:
            keys.append(asyncssh.import_private_key(text))
        except (asyncssh.KeyImportError, ValueError) as error:
            say(f"a host key in customData is ignored: {error}")
    if keys:
        return keys
    path = directory / "ssh_host_ed25519_key"
    if not path.exists():
        path.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        path.chmod(0o600)
    return [asyncssh.read_private_key(str(path))]


def authorized_keys(texts: Sequence[str], say: Callable[[str], None]) -> set[bytes]:
    """Return the public keys of the lines of authorized_keys, without their comments and options.

    Lines that can't be read are left out and reported to `say`, the machine's log.
    """
    found = set()
    for text in texts:
        try:
            found.add(asyncssh.import_public_key(text).public_data)
        except (asyncssh.KeyImportError, ValueError) as error:
            say(f"an authorized key is ignored: {error}")
    return found
