"""SSH keys: made for each cluster, before its machines are."""

from dataclasses import dataclass
from typing import Any

import asyncssh

from ..errors import ConfigurationError

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
    """Read the private key of a cluster; raises ConfigurationError if it is missing or damaged.

    What is not checked is whether its numbers fit: that takes 170 ms in each of a cluster's
    processes, and guards against keys that others made.
    """
    try:
        return asyncssh.read_private_key(path, unsafe_skip_rsa_key_validation=True)
    except (OSError, asyncssh.KeyImportError) as error:
        raise ConfigurationError(
            f"The cluster's login key {path} can't be read: {error}. Without it the machines can't "
            "be reached; `ipcluster stop` still deletes them."
        ) from error
