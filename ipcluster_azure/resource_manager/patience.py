"""How long Azure's answers are waited for: one limit for a call, with all its retries.

What an endpoint does to be silent makes no difference: not answer, send a byte now and then, stop
in the middle; nor does it where a name's server or a proxy is. Azure's SDK has no such limit: its
own are for one attempt, and for the time between two bytes.
"""

import functools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport

from ..progress import notice
from .threads import WORTH_SAYING_S, TimedOut, within

CALL_S = 15.0
AFTER_SILENCE_S = 4.0  # for a call to an endpoint that was silent until a moment ago
REMEMBERED_S = 60.0  # how long that is a moment
CONNECT_S, READ_S = 5.0, 8.0  # an attempt; a connection that a firewall has dropped is silent, too
WHOLE_CALL_S = 300.0  # with all pages of a list, and with the pauses that Azure asks for
ASKED_PAUSES_S = 120.0
# an attempt at these has all the time: repeated while Azure works on them, they may be refused
WRITES = ("PUT", "PATCH", "POST")
UNREGISTERED = b'"MissingSubscriptionRegistration"'
PAUSE_HEADERS = ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms")


class Unanswered(Exception):
    """An endpoint was silent for all the time that a call has."""


class Throttled(Exception):
    """Azure asks for a longer pause than a call can make."""


class Unregistered(Exception):
    """Azure's answer that the subscription is not registered for a provider, as `error`.

    No error of Azure's SDK, which would register it itself: without a word, without an end.
    """

    def __init__(self, error: HttpResponseError) -> None:
        super().__init__(str(error))
        self.error = error


class Call:
    """One call to Azure: how much of its time is left, and what it has heard."""

    def __init__(self) -> None:
        self._began = self._since = time.monotonic()
        self._paused_s = 0.0
        self.heard = self.asked_to_pause = False

    def left_s(self, limit_s: float) -> float:
        end = min(self._since + limit_s, self._began + WHOLE_CALL_S)
        return end - time.monotonic()

    def note(self, status: int, headers: Mapping[str, str]) -> None:
        """Note an answer: after a good one comes, if anything, the next page."""
        self.heard = True
        self.asked_to_pause = status >= 400 and any(name in headers for name in PAUSE_HEADERS)
        if status < 400:
            self._since = time.monotonic()

    def pause(self, pause_s: float) -> None:
        """Wait as long as Azure asks for, which is not counted; raises Throttled if too long."""
        self._paused_s += pause_s
        if self._paused_s > ASKED_PAUSES_S:
            raise Throttled(f"Azure asks for a pause of {pause_s:.0f} s")
        if pause_s >= WORTH_SAYING_S:
            notice(f"Azure has too much to do, and asks to wait {pause_s:.0f} s")
        self._since += pause_s
        time.sleep(pause_s)

    def add(self, seconds: float) -> None:
        """Leave `seconds` that have passed out of account."""
        self._since += seconds


_call: ContextVar[Call | None] = ContextVar("call", default=None)


@contextmanager
def one_call() -> Iterator[None]:
    """Count all that is asked of Azure in this block as one call."""
    token = _call.set(Call())
    try:
        yield
    finally:
        _call.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Leave the time of this block, a login's, out of the call's account: it has its own limit."""
    began, call = time.monotonic(), _call.get()
    try:
        yield
    finally:
        if call is not None:
            call.add(time.monotonic() - began)


class Silence:
    """Whether an endpoint was silent a moment ago; then what is asked next has less time."""

    def __init__(self) -> None:
        self._since = -REMEMBERED_S

    def begin(self) -> None:
        self._since = time.monotonic()

    def end(self) -> None:
        self._since = -REMEMBERED_S

    def limit_s(self) -> float:
        is_recent = time.monotonic() - self._since < REMEMBERED_S
        return AFTER_SILENCE_S if is_recent else CALL_S


class PatientTransport(RequestsTransport):  # type: ignore[misc]
    """Sends the requests of one call, and waits between them, as long as that has time left."""

    def __init__(self, silence: Silence, **options: Any) -> None:
        super().__init__(**options)
        self._silence = silence

    def send(self, request: Any, **options: Any) -> Any:
        call = _call.get() or Call()
        left_s = call.left_s(limit_s := self._silence.limit_s())
        if left_s <= 0:
            raise self._unanswered(call, limit_s)
        # the SDK would read the bodies of long-running operations' answers later, for ever
        options["stream"] = False
        options["connection_timeout"] = min(CONNECT_S, left_s)
        is_write = request.method.upper() in WRITES
        options["read_timeout"] = left_s if is_write else min(READ_S, left_s)
        try:
            answer = within(left_s, functools.partial(super().send, request, **options))
        except TimedOut as error:
            raise self._unanswered(call, limit_s) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            if call.left_s(limit_s) > 0:  # another attempt has time
                raise
            raise self._unanswered(call, limit_s) from error
        call.note(answer.status_code, answer.headers)
        self._silence.end()
        if answer.status_code == 409 and UNREGISTERED in answer.content:
            raise Unregistered(HttpResponseError(response=answer))
        return answer

    def sleep(self, duration: float) -> None:
        call = _call.get() or Call()
        if call.asked_to_pause:
            call.pause(duration)
        else:
            time.sleep(max(0.0, min(duration, call.left_s(self._silence.limit_s()))))

    def _unanswered(self, call: Call, limit_s: float) -> Unanswered:
        if call.heard:
            return Unanswered(f"no usable answer within {limit_s:.0f} s")
        self._silence.begin()
        return Unanswered(f"no answer within {limit_s:.0f} s")
