"""A machine's SSH keys: who may log in, and what it shows itself with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import asyncssh


def host_keys(
    texts: Sequence[str], directory: Path, say: Callable[[str], None]
) -> list[asyncssh.SSHKey]:
    """customData's, else one of its own that survives a restart. Unreadable ones are said."""
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
    """The keys alone: comments differ, and options are not carried out."""
    found = set()
    for text in texts:
        try:
            found.add(asyncssh.import_public_key(text).public_data)
        except (asyncssh.KeyImportError, ValueError) as error:
            say(f"an authorized key is ignored: {error}")
    return found
