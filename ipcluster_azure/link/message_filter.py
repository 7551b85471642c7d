"""Lets a stream of messages pass, but for those that somebody keeps back, or puts others in for.

All else passes as it comes: of a large message only the first frames are waited for. What is
encrypted, or no ZMTP at all, passes unread, as zmtp.Reader leaves it alone.
"""

from collections.abc import Callable
from enum import Enum

from .zmtp import COMMAND, DELIMITER, GREETING_SIZE, KEPT_BYTES, KEPT_FRAMES, LONG, MORE, is_null

Frames = list[bytes]
Change = Callable[[Frames], bytes]


class Verdict(Enum):
    PASS = "this message passes"  # noqa: S105
    OPEN = "this message passes, and from here on all"
    WAIT = "nothing passes until `feed` is called again"


Judge = Callable[[Frames], Verdict | Change]


class Filter:
    """One direction of a connection; `feed` it all that comes, and send on what it returns.

    `judge` is given the first four frames behind a message's delimiter (signature, header, parent
    header, metadata) as soon as they have come. Instead of a Verdict it may return a function: that
    is given all frames of the message once they are there, those before the delimiter included, and
    returns the bytes to send in its place.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._is_open = False
        self._greeting = b""
        self._held = bytearray()  # not sent on yet
        self._at = 0  # where in it the next frame begins that has not been looked at
        self._frames: Frames = []  # those before
        self._is_whole = False  # they are a whole message
        self._waits = False  # for another verdict
        self._change: Change | None = None  # what is to become of the message that is held
        self._passes = False  # the rest of a message
        self._left = 0  # bytes of a frame that passes

    def feed(self, data: bytes) -> bytes:
        if self._is_open:
            return data
        if self._left > len(data):  # most of a large message
            self._left -= len(data)
            return data
        out = [data[: self._left]]
        self._held += data[self._left :]
        self._left = 0
        while (passed := self._step()) is not None:
            out.append(passed)
        return b"".join(out)

    def _step(self) -> bytes | None:
        """Look at one more frame; returns what passes then, None if more must come before."""
        if self._waits:
            return self._decide()
        if not self._held:
            return None
        if self._is_open:
            return self._take(len(self._held))
        if len(self._greeting) < GREETING_SIZE:
            return self._greet()
        if (head := self._head()) is None:
            return None
        flags, start, end = head
        is_command = flags & COMMAND and not self._frames
        if self._passes or is_command:
            self._passes = self._passes and bool(flags & MORE)
            self._left = max(0, end - len(self._held))
            return self._take(min(end, len(self._held)))
        if self._change is None and end - start > KEPT_BYTES:
            return self._pass_on()  # nothing that is looked at is so long
        if end > len(self._held):
            return None
        self._frames.append(bytes(self._held[start:end]))
        self._at, self._is_whole = end, not flags & MORE
        return self._decide()

    def _greet(self) -> bytes:
        """Let the greeting pass as it comes: each side waits for the first part of the other's."""
        part = self._take(min(len(self._held), GREETING_SIZE - len(self._greeting)))
        self._greeting += part
        if len(self._greeting) == GREETING_SIZE:
            self._is_open = not is_null(self._greeting)
        return part

    def _head(self) -> tuple[int, int, int] | None:
        """Return of the next frame its flags, and where its body begins and ends; None if its head
        has not come."""
        if len(self._held) < self._at + 2:
            return None
        flags = self._held[self._at]
        start = self._at + (9 if flags & LONG else 2)
        if len(self._held) < start:
            return None
        return flags, start, start + int.from_bytes(self._held[self._at + 1 : start], "big")

    def _decide(self) -> bytes | None:
        """Act on the frames that are held; returns what passes, as _step does."""
        if self._change is None:
            verdict = self._verdict()
            self._waits = verdict is Verdict.WAIT
            if self._waits:
                return None
            if isinstance(verdict, Verdict):
                self._is_open = verdict is Verdict.OPEN
                return self._pass_on()
            self._change = verdict
        if self._change is not None and self._is_whole:
            changed = self._change(self._frames)
            self._take(self._at)
            return changed
        return b""

    def _verdict(self) -> Verdict | Change | None:
        """Return the judge's; None as long as it can't be asked."""
        if DELIMITER in self._frames:
            behind = self._frames[self._frames.index(DELIMITER) + 1 :]
            if len(behind) == KEPT_FRAMES:
                return self._judge(behind)
        return Verdict.PASS if self._is_whole else None

    def _pass_on(self) -> bytes:
        self._passes = not self._is_whole
        return self._take(self._at)

    def _take(self, size: int) -> bytes:
        """Take so much from what is held; the frames that were looked at are done with."""
        taken = bytes(self._held[:size])
        del self._held[:size]
        self._at, self._frames, self._is_whole, self._change = 0, [], False, None
        return taken
