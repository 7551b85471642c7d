"""Where each VM's metadata service is: a secret path, by which the service knows the VM."""

from __future__ import annotations

import secrets
import weakref

from ..base.store import Resource


class MetadataUrls:
    """The secret paths. base: set when the server listens; "" until then, and without a server.

    On Azure only a VM itself can reach its metadata service. Here every program of the computer
    reaches the server's address, and the connection does not tell which VM it comes from: the path
    does, and nobody else knows it.
    """

    def __init__(self) -> None:
        self.base = ""
        self._vms: weakref.WeakValueDictionary[str, Resource] = weakref.WeakValueDictionary()

    def url(self, vm: Resource) -> str:
        """Return the VM's URL without /metadata; it stays the same for the VM's whole life."""
        if not self.base:
            return ""
        secret = vm.hidden.setdefault("metadata_secret", secrets.token_urlsafe(16))
        self._vms[secret] = vm
        return f"{self.base}/{secret}"

    def vm(self, secret: str) -> Resource | None:
        return self._vms.get(secret)
