"""Messages that are kept back or changed on their way, among others that pass as they come."""

import random
from collections.abc import Callable

import pytest

from ipcluster_azure.link import zmtp
from ipcluster_azure.link.message_filter import Filter, Frames, Verdict

GREETING = zmtp.handshake("DEALER")
PING = bytes([zmtp.COMMAND, 7]) + b"\x04PING\0\0"
CHANGED = zmtp.message([b"another"])


def a_message(header: bytes, *buffers: bytes, before: tuple[bytes, ...] = ()) -> bytes:
    return zmtp.message([*before, zmtp.DELIMITER, b"signature", header, b"{}", b"{}", *buffers])


def in_pieces(stream: bytes, largest: int) -> Callable[[Filter], bytes]:
    rng = random.Random(largest)  # noqa: S311

    def feed(through: Filter) -> bytes:
        out, position = [], 0
        while position < len(stream):
            step = rng.randint(1, largest)
            out.append(through.feed(stream[position : position + step]))
            position += step
        return b"".join(out)

    return feed


@pytest.mark.parametrize("largest", [1, 7, 1000, 70_000, 10_000_000])
def test_messages_are_changed_whatever_pieces_they_come_in(largest: int) -> None:
    large = b"x" * (2_500_000 if largest > 1000 else 3000)
    seen: list[Frames] = []

    def judge(frames: Frames) -> Verdict | Callable[[Frames], bytes]:
        if frames[1] != b"wanted":
            return Verdict.PASS
        return lambda whole: seen.append(whole) or CHANGED

    stream, expected = bytearray(GREETING), bytearray(GREETING)
    for number in range(8):
        before = (b"engine",) if number % 2 else ()
        plain = a_message(b"plain", b"{}", *[large] * (number % 3), before=before)
        wanted = a_message(b"wanted", b"{}", *[large] * (number % 2), before=before)
        odd = zmtp.message([b"\x01subscription"]) + zmtp.message([large, b"no delimiter"]) + PING
        stream += plain + wanted + odd
        expected += plain + CHANGED + odd
    assert in_pieces(bytes(stream), largest)(Filter(judge)) == expected
    assert [frames[-2:] for frames in seen[:2]] == [[b"{}", b"{}"], [b"{}", large]]
    assert seen[1][:2] == [b"engine", zmtp.DELIMITER]


def test_a_large_message_passes_as_it_comes() -> None:
    through = Filter(lambda frames: Verdict.PASS)
    data = GREETING + a_message(b"plain", b"{}", b"x" * 5_000_000)
    assert through.feed(data[:200_000]) == data[:200_000]
    assert through.feed(data[200_000:300_000]) == data[200_000:300_000]


def test_half_a_greeting_passes() -> None:
    """libzmq sends its first 11 bytes, and the others once it has got as many."""
    assert Filter(lambda frames: Verdict.PASS).feed(GREETING[:11]) == GREETING[:11]


def test_a_verdict_may_take_its_time() -> None:
    verdicts = [Verdict.WAIT, Verdict.WAIT, Verdict.PASS, Verdict.OPEN]
    through = Filter(lambda frames: verdicts.pop(0))
    first, second, third = (a_message(name, b"{}", b"data") for name in (b"1", b"2", b"3"))
    assert through.feed(GREETING + PING + first + second) == GREETING + PING
    assert through.feed(third) == b""
    assert through.feed(b"") == first + second + third
    assert through.feed(b"anything") == b"anything"
    assert not verdicts


def test_encrypted_and_other_streams_pass_unread() -> None:
    for stream in (GREETING.replace(b"NULL", b"CURV"), b"GET / HTTP/1.1\r\n".ljust(70)):
        through = Filter(lambda frames: pytest.fail("nothing can be read here"))
        assert through.feed(stream + a_message(b"1")) == stream + a_message(b"1")
