"""SFTP and scp as OpenSSH's sftp-server does them, where asyncssh's server differs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import asyncssh

from .vm_environment import LOGIN_UMASK


@contextlib.contextmanager
def _login_umask() -> Iterator[None]:
    own = os.umask(LOGIN_UMASK)
    try:
        yield
    finally:
        os.umask(own)


class HomeSFTPServer(asyncssh.SFTPServer):
    """An SFTP server without chroot, whose relative paths start at the home, as OpenSSH's."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: bytes) -> None:
        super().__init__(channel)
        self._channel, self._home = channel, home

    def exit(self) -> None:
        """End with status 0, as sftp-server does once the client has sent all; without any status
        scp and sftp end with 1, although everything was copied."""
        self._channel.exit(0)

    def map_path(self, path: bytes) -> bytes:
        return os.path.join(self._home, path)

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        with _login_umask():
            return super().open(path, pflags, attrs)

    def open56(
        self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs
    ) -> object:
        with _login_umask():
            return super().open56(path, desired_access, flags, attrs)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        with _login_umask():
            super().mkdir(path, attrs)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename without replacing anything; posix-rename@openssh.com does that."""
        if os.path.lexists(self.map_path(newpath)):
            raise asyncssh.SFTPFailure("Failure")
        super().rename(oldpath, newpath)
