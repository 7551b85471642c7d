"""Starts a cluster's link again when it dies, and keeps its sockets meanwhile.

    python -IS watcher.py RECORD [MODULE]     by the link, with a socket to it as standard input

MODULE is what is started again: the link, or the keeper of machines on which nothing runs.

Each of the two watches the other: that socket ends with the process that holds its other end. A
client that connects while there is no link waits at the port, which stays open, and what it has
sent on a connection that the dead link had can still be read by the next one. Nothing is revived
once the cluster's record is gone.

Standard library alone, and no module beside this one, for its size: 12 MB, of which most is shared.
Messages are lines of JSON, some with a descriptor:

    {"pid", "cluster"}               from the link, first: who is to be watched
    {"keep": KEY, "kind", "name"}    and a socket; kind: "port" or "client", name: the channel's
    {"drop": KEY}
    {"complete": PID}                from the watcher, its pid: a new link has got all that was kept
    {"beat"}                         from both, every BEAT_S
    {"bye"}                          from the link: it ends because it is to
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

Json = dict[str, Any]
LINK = "ipcluster_azure.link"
BEAT_S = 2.0
QUIET_BEATS = 15  # without a word; then the other is made to end, as it hangs or was stopped
STARTING_BEATS = 30  # more, until the first word
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 60.0  # before it is started again; whoever ends both can
LONG_LIFE_S = 60.0  # then an earlier death counts no more
LOOK_S = 0.5
HANDOVER_S = 60.0
NO_DESCRIPTORS = "the sockets of Windows carry no descriptors"  # nobody makes a Channel there
MAX_DESCRIPTORS = 64  # in one message of the socket


class Channel:
    """One end of the socket between link and watcher. What can't be sent yet waits in it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.setblocking(False)
        self._unread = b""
        self._descriptors: deque[int] = deque()
        self._unsent: deque[tuple[bytes, int | None]] = deque()

    def send(self, message: Json, descriptor: int | None = None) -> bool:
        """Send a message, or keep it for flush(). Returns whether all is sent; raises OSError."""
        kept = None if descriptor is None else os.dup(descriptor)
        self._unsent.append((json.dumps(message).encode() + b"\n", kept))
        return self.flush()

    def flush(self) -> bool:
        if sys.platform == "win32":
            raise OSError(NO_DESCRIPTORS)
        while self._unsent:
            data, descriptor = self._unsent[0]
            try:
                attached = [] if descriptor is None else [descriptor]
                sent = socket.send_fds(self.socket, [data], attached)
            except BlockingIOError:
                return False
            if descriptor is not None:
                os.close(descriptor)
            if sent < len(data):
                self._unsent[0] = data[sent:], None
            else:
                self._unsent.popleft()
        return True

    def receive(self) -> Iterator[tuple[Json, int]]:
        """Yield what has come, with the descriptor of a "keep", which is the caller's then.

        Raises EOFError or OSError once the other side is gone.
        """
        if sys.platform == "win32":
            raise OSError(NO_DESCRIPTORS)
        try:
            data, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 16, MAX_DESCRIPTORS)
        except BlockingIOError:
            return
        self._descriptors += descriptors
        if not data:
            raise EOFError
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            yield message, self._descriptors.popleft() if "keep" in message else -1

    def close(self) -> None:
        self.socket.close()
        for descriptor in (*self._descriptors, *(item for _, item in self._unsent)):
            if descriptor is not None:
                os.close(descriptor)


class Pause:
    """How long to wait before the other is started again: longer each time that it dies soon."""

    def __init__(self) -> None:
        self.s, self._started_at = FIRST_PAUSE_S, time.monotonic()

    def next_s(self) -> float:
        if time.monotonic() - self._started_at > LONG_LIFE_S:
            self.s = FIRST_PAUSE_S
        now_s, self.s = self.s, min(LONGEST_PAUSE_S, 2 * self.s)
        self._started_at = time.monotonic() + now_s
        return now_s


class Quiet:
    """Counts the beats of ours without a word of the other: time itself passes in a suspend."""

    def __init__(self) -> None:
        self._beats = -STARTING_BEATS

    def heard(self) -> None:
        self._beats = 0

    def too_long(self) -> bool:
        self._beats += 1
        return self._beats > QUIET_BEATS


class Watcher:
    """Watches the link of the cluster of one record, or what else runs as `module`."""

    def __init__(self, record: Path, channel: Channel, module: str = LINK) -> None:
        self._record, self._channel, self._module = record, channel, module
        self._link_pid, self._cluster = 0, ""
        self._kept: dict[str, tuple[Json, int]] = {}
        self._pause = Pause()

    def run(self) -> None:
        """Watch until a link says goodbye, or the cluster is gone."""
        process: subprocess.Popen[bytes] | None = None
        while not self._follow():
            self._channel.close()
            if process is not None:
                process.kill()  # it has ended, or has at least let go of us
                process.wait()
            if not self._wait_while_on_record(self._pause.next_s()):
                return
            say("The link has ended; it is started again")
            process = self._start()
            with suppress(OSError):  # it has ended already
                self._hand_over()

    def _follow(self) -> bool:
        """Keep what the link gives until it ends; returns whether it said goodbye."""
        quiet, beat_at = Quiet(), 0.0
        while True:
            try:
                if select.select([self._channel.socket], [], [], BEAT_S)[0]:
                    for message, descriptor in self._channel.receive():
                        quiet.heard()
                        if not self._act_on(message, descriptor):
                            return True
                elif sys.platform != "win32" and quiet.too_long() and self._link_pid:
                    say("Nothing is heard of the link; it is ended")
                    os.kill(self._link_pid, signal.SIGKILL)
                if time.monotonic() - beat_at > BEAT_S / 2:
                    beat_at = time.monotonic()
                    self._channel.send({"beat": True})
            except (EOFError, OSError):
                return False

    def _act_on(self, message: Json, descriptor: int) -> bool:
        if "cluster" in message:
            self._link_pid, self._cluster = message["pid"], message["cluster"]
        elif "keep" in message:
            self._kept[message["keep"]] = message, descriptor
        elif "drop" in message and message["drop"] in self._kept:
            os.close(self._kept.pop(message["drop"])[1])
        return "bye" not in message

    def _wait_while_on_record(self, pause_s: float) -> bool:
        """Wait; returns whether the cluster is still on record then."""
        until = time.monotonic() + pause_s
        while self._is_on_record() and time.monotonic() < until:
            time.sleep(min(LOOK_S, pause_s))
        return self._is_on_record()

    def _is_on_record(self) -> bool:
        """Return False if the record is gone, or another cluster's."""
        try:
            record = json.loads(self._record.read_bytes())
            return bool(record["plan"]["names"]["base"] == self._cluster)
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError):  # unreadable is not the same as gone
            return True

    def _start(self) -> subprocess.Popen[bytes]:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", self._module, str(self._record)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=self._record.parent,
                start_new_session=True,
            )
        self._channel, self._link_pid = Channel(ours), process.pid
        return process

    def _hand_over(self) -> None:
        self._channel.socket.settimeout(HANDOVER_S)  # it may be at its imports
        for message, descriptor in self._kept.values():
            self._channel.send(message, descriptor)
        self._channel.send({"complete": os.getpid()})
        self._channel.socket.setblocking(False)


def say(text: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S,000"), text, file=sys.stderr, flush=True)


def main() -> None:
    # a socket of its own descriptor: what is started here gets another as its standard input
    channel = Channel(socket.socket(fileno=os.dup(0)))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    Watcher(Path(sys.argv[1]), channel, *sys.argv[2:3]).run()


if __name__ == "__main__":
    main()
