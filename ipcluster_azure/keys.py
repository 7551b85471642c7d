"""SSH keys: made for each cluster, before its machines are."""

import functools
import os
from dataclasses import dataclass
from typing import Any

import asyncssh

from .errors import ConfigurationError

RSA_BITS = 3072  # ed25519 login keys are unverified for Azure


@dataclass(frozen=True)
class KeyPair:
    """A key in OpenSSH's formats."""

    private: str
    public: str


def make_login_key() -> KeyPair:
    return _key_pair("ssh-rsa", key_size=RSA_BITS)


def make_host_key() -> KeyPair:
    return _key_pair("ssh-ed25519")


def _key_pair(algorithm: str, **options: Any) -> KeyPair:
    key = asyncssh.generate_private_key(algorithm, comment="ipcluster-azure", **options)
    public = key.export_public_key().decode().strip()
    return KeyPair(key.export_private_key().decode(), public)


def read_login_key(path: str) -> asyncssh.SSHKey:
    try:
        return _read_key(path, os.stat(path).st_mtime_ns)
    except (OSError, asyncssh.KeyImportError) as error:
        raise ConfigurationError(
            f"The cluster's login key {path} can't be read: {error}. Without it the machines can't "
            "be reached; `ipcluster stop` still deletes them."
        ) from error


@functools.lru_cache(maxsize=8)
def _read_key(path: str, mtime_ns: int) -> asyncssh.SSHKey:
    """Checking an RSA key takes 170 ms, which all connections to a cluster's machines share."""
    return asyncssh.read_private_key(path)
