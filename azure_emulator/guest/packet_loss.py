"""Makes TCP sockets lose every packet in both directions, and end that again, without root.

A key for TCP's MD5 signatures (RFC 2385) makes the kernel drop what arrives unsigned and sign what
it sends, which the other end then drops: no FIN, no RST, only silence. Socket filters would do the
same, but new kernels refuse them on TCP sockets to ordinary users.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterable, Iterator

TCP_MD5SIG_EXT = 32
FLAG_PREFIX = 1
KEY = b"nobody has this key"
KEY_ROOM = 80
PIDFD_GETFD = 438  # the same number on every architecture
ADDRESS_ROOM = 128


def supported() -> bool:
    """Return whether this kernel was built with TCP's MD5 signatures."""
    with socket.socket() as probe:
        return lose(probe)


def lose(sock: socket.socket) -> bool:
    """Let the socket lose every packet; return False if the kernel can't.

    If it is a listening one, nobody gets an answer any more.
    """
    return _set_key(sock, KEY)


def find_again(sock: socket.socket) -> None:
    _set_key(sock, b"")


def _set_key(sock: socket.socket, key: bytes) -> bool:
    """Set the key for all peers; no bytes take the key away."""
    done = False
    for address in _everybody(sock.family):
        value = (
            address + struct.pack("BBHi", FLAG_PREFIX, 0, len(key), 0) + key.ljust(KEY_ROOM, b"\0")
        )
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG_EXT, value)
            done = True
    return done


def _everybody(family: int) -> Iterator[bytes]:
    if family == socket.AF_INET:
        yield struct.pack("HH4x", socket.AF_INET, 0).ljust(ADDRESS_ROOM, b"\0")
    else:
        yield struct.pack("HHI16x", socket.AF_INET6, 0, 0).ljust(ADDRESS_ROOM, b"\0")
        mapped = b"\0" * 10 + b"\xff\xff" + b"\0" * 4
        yield struct.pack("HHI16s", socket.AF_INET6, 0, 0, mapped).ljust(ADDRESS_ROOM, b"\0")


def outside_sockets(pids: Iterable[int]) -> list[socket.socket]:
    """Return duplicates of these processes' TCP sockets to others than themselves.

    While a duplicate is open, the end of its process sends no FIN.
    """
    found: dict[int, socket.socket] = {}
    for pid in pids:
        for number, inode in _socket_numbers(pid):
            if inode not in found:
                with contextlib.suppress(OSError):
                    found[inode] = _duplicate(pid, number)
    return _without_inside(found.values())


def _socket_numbers(pid: int) -> Iterator[tuple[int, int]]:
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return  # it has ended
    for number in numbers:
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{number}")
            if target.startswith("socket:["):
                yield int(number), int(target[8:-1])


def _duplicate(pid: int, number: int) -> socket.socket:
    process = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        taken = libc.syscall(PIDFD_GETFD, process, number, 0)
        if taken < 0:  # Yama forbids it for processes that are not our descendants any more
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return socket.socket(fileno=taken)
    finally:
        os.close(process)


def _without_inside(found: Iterable[socket.socket]) -> list[socket.socket]:
    connected: dict[tuple[str, str], socket.socket] = {}
    kept: list[socket.socket] = []
    for sock in found:
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
            sock.close()
            continue
        try:
            connected[_name(sock.getsockname()), _name(sock.getpeername())] = sock
        except OSError:
            kept.append(sock)  # it listens
    for (here, there), sock in connected.items():
        if (there, here) in connected:
            sock.close()
        else:
            kept.append(sock)
    return kept


def _name(address: tuple[object, ...]) -> str:
    return f"{str(address[0]).removeprefix('::ffff:')}:{address[1]}"
