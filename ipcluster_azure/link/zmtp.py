"""ZMTP 3, the protocol of ZeroMQ's connections, read as it passes by, and spoken a little.

As much as it takes to see messages in a stream (rfc.zeromq.org/spec/23 and /37), and to put one in
between two others. What is encrypted, or no ZMTP at all, is noticed and left alone.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

GREETING_SIZE = 64
MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame
KEPT_BYTES = 1 << 20  # of a frame that is looked at: the targets of a broadcast are the longest
DELIMITER = b"<IDS|MSG>"  # of Jupyter messages: behind it signature, header, parent, metadata
KEPT_FRAMES = 4
NULL_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


class Reader:
    """One direction of a connection; `feed` it all that passes.

    `on_message`, if there is one, is called at the end of each message with the first four frames
    behind its delimiter: signature, header, parent header, metadata. `early`: as soon as these have
    passed.
    """

    def __init__(
        self, on_message: Callable[[list[bytes]], None] | None = None, *, early: bool = False
    ) -> None:
        self.readable = True  # False: this is no ZMTP 3, or it is encrypted
        self.ready = False  # the handshake is over
        self._on_message, self._early = on_message, early
        self._greeted = False
        self._head = bytearray()
        self._flags = self._left = 0
        self._kept: bytearray | None = None
        self._frames: list[bytes] = []
        self._begun = False  # a message of which not all frames have passed

    @property
    def between_messages(self) -> bool:
        """Return whether a message of ours could be put into the stream at this point."""
        under_way = self._left or self._head or self._begun
        return self.readable and self.ready and not under_way

    def feed(self, data: bytes) -> None:
        if not self.readable:
            return
        if self._kept is None and self._left > len(data):  # most of a large message
            self._left -= len(data)
            return
        rest = memoryview(data)
        while rest and self.readable:
            rest = self._pass_body(rest) if self._left else self._read_head(rest)

    def _pass_body(self, rest: memoryview) -> memoryview:
        size = min(self._left, len(rest))
        if self._kept is not None:
            self._kept += rest[:size]
        self._left -= size
        if not self._left:
            self._end_frame()
        return rest[size:]

    def _read_head(self, rest: memoryview) -> memoryview:
        missing = self._head_size() - len(self._head)
        self._head += rest[:missing]
        if len(self._head) == self._head_size():
            self._end_head()
        return rest[missing:]

    def _head_size(self) -> int:
        if not self._greeted:
            return GREETING_SIZE
        return 9 if self._head and self._head[0] & LONG else 2

    def _end_head(self) -> None:
        head = bytes(self._head)
        self._head.clear()
        if not self._greeted:
            self._greeted = True
            self.readable = is_null(head)
            return
        self._flags, self._left = head[0], int.from_bytes(head[1:], "big")
        if not self._flags & COMMAND:
            self._begun = True
        self._kept = bytearray() if self._is_wanted() else None
        if not self._left:
            self._end_frame()

    def _is_wanted(self) -> bool:
        wanted = self._on_message is not None and len(self._frames) <= KEPT_FRAMES
        return wanted and not self._flags & COMMAND and self._left <= KEPT_BYTES

    def _end_frame(self) -> None:
        if self._flags & COMMAND:  # of the NULL mechanism only READY and ERROR come before messages
            self.ready = True
            return
        if self._kept is not None:
            frame = bytes(self._kept)
            if self._frames or frame == DELIMITER:
                self._frames.append(frame)
                if self._early:
                    self._tell()
        self._kept = None
        if self._flags & MORE:
            return
        if not self._early:
            self._tell()
        self._frames, self._begun = [], False

    def _tell(self) -> None:
        if self._on_message is not None and len(self._frames) == KEPT_FRAMES + 1:
            self._on_message(self._frames[1:])


def is_null(greeting: bytes | bytearray) -> bool:
    """Return whether a stream that begins like this is ZMTP 3 without encryption."""
    return greeting[0] == 0xFF and greeting[10] == 3 and greeting[12:17] == b"NULL\0"


def frames_in(data: bytes) -> Iterator[list[bytes]]:
    """Yield of each message in a piece of a stream, which may begin and end anywhere, what a Reader
    gives of it."""
    mark = _frame(DELIMITER, MORE)
    at = data.find(mark)
    while at >= 0:
        frames = list(islice(_frames(data, at + len(mark)), KEPT_FRAMES))
        if len(frames) == KEPT_FRAMES:
            yield [frame for _, frame, _ in frames]
        at = data.find(mark, at + 1)


def messages_in(data: bytes, before: int) -> Iterator[list[bytes]]:
    """Yield the messages in a piece of a stream that are whole for certain.

    The first may have begun before the piece, unless there are exactly `before` frames to its
    delimiter, as messages of this stream have.
    """
    at = data.find(_frame(DELIMITER, MORE))
    leading = list(islice(_frames(data, 0), before))
    ends = [0, *(end for _, _, end in leading)]
    # what a message's data look like as a frame is no frame: it has other flags
    follow = all(flags & ~LONG == MORE for flags, _, _ in leading)
    whole = at >= 0 and len(ends) > before and ends[before] == at and follow
    message: list[bytes] = []
    for flags, frame, _ in _frames(data, 0 if whole else at) if at >= 0 else ():
        message.append(frame)
        if not flags & MORE:
            if whole:
                yield message
            message, whole = [], True


def _frames(data: bytes, at: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield of each whole frame, from one that begins at `at`, its flags, its body, its end."""
    while at + 2 <= len(data):
        flags, head = data[at], 9 if data[at] & LONG else 2
        end = at + head + int.from_bytes(data[at + 1 : at + head], "big")
        if len(data) < end:
            return
        yield flags, data[at + head : end], end
        at = end


def message(frames: Sequence[bytes]) -> bytes:
    """Return a message as bytes of the stream."""
    last = len(frames) - 1
    return b"".join(_frame(body, MORE if i < last else 0) for i, body in enumerate(frames))


def handshake(socket_type: str) -> bytes:
    """Return what a socket without encryption sends first: greeting and READY."""
    name, value = b"Socket-Type", socket_type.encode()
    ready = b"\x05READY" + bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
    return NULL_GREETING + _frame(ready, COMMAND)


def _frame(body: bytes, flags: int) -> bytes:
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
