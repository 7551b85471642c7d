"""SSH keys: made for each cluster, before its machines are.

They are made without asyncssh, whose import takes a tenth of a second: a start begins with its key,
which is made in a thread while all else is imported.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PUBLIC_EXPONENT = 65537  # the one that everybody uses, and FIPS 186-5 allows
RSA_BITS = 3072  # ed25519 login keys are unverified for Azure


@dataclass(frozen=True)
class KeyPair:
    """A key in OpenSSH's formats."""

    private: str
    public: str


def make_login_key() -> KeyPair:
    """Make an RSA key, which takes between 30 and 400 ms; other threads run meanwhile."""
    return _key_pair(generate_private_key(PUBLIC_EXPONENT, RSA_BITS))


def make_host_key() -> KeyPair:
    return _key_pair(Ed25519PrivateKey.generate())


def _key_pair(key: RSAPrivateKey | Ed25519PrivateKey) -> KeyPair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return KeyPair(private.decode(), f"{public.decode()} ipcluster-azure")
