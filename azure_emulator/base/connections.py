"""HTTP connections whose every refusal has ARM's shape, also those of the HTTP library itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import HttpVersion11, web

from . import errors
from .errors import ArmError

HEAD_S = 20.0
BODY_S = 60.0
IDLE_S = 120.0
STALL_S = 60.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def response(error: ArmError) -> web.Response:
    body = json.dumps(error.body(), separators=(",", ":"))
    return web.Response(
        status=error.status, text=body, content_type="application/json", headers=error.headers
    )


class Connection(web.RequestHandler):
    """An HTTP connection that answers like ARM also to what is no HTTP, or too long a line.

    Who is slow loses it: HEAD_S pass until the first request's head is there, IDLE_S until the next
    one's, or STALL_S in which nothing is read of an answer.
    """

    def __init__(self, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, keepalive_timeout=IDLE_S, **options)
        self._waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._lose_after(HEAD_S)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.go_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._lose_after(STALL_S)

    def resume_writing(self) -> None:
        self.go_on()
        super().resume_writing()

    def go_on(self) -> None:
        """Take note that what was waited for has come."""
        if self._waits is not None:
            self._waits.cancel()

    def _lose_after(self, seconds: float) -> None:
        self.go_on()
        self._waits = asyncio.get_running_loop().call_later(seconds, self._lose)

    def _lose(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        plain = super().handle_error(request, status, exc, message)
        if status >= 500:
            return plain
        reason = (message or "Bad Request").splitlines()[0]  # the rest repeats what was sent
        shaped = response(errors.bad_request(reason, status))
        shaped.force_close()
        return shaped


async def listen(runner: web.AppRunner, **where: Any) -> asyncio.Server:
    """Start a server of such connections; where: what asyncio's create_server takes."""
    loop = asyncio.get_running_loop()
    manager = cast("web.Server", runner.server)  # there is one since the runner's setup()
    options: dict[str, Any] = {"loop": loop, "access_log": None}
    if "ssl" in where:
        where["ssl_handshake_timeout"] = HEAD_S
    return await loop.create_server(lambda: Connection(manager, **options), **where)


@web.middleware
async def arm_shaped(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in ARM's shape also to targets that have no path: OPTIONS *, CONNECT host:port."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return response(errors.bad_request(refusal.reason, refusal.status))


@web.middleware
async def heard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take note on its connection that a request's head is there."""
    cast(Connection, request.protocol).go_on()
    return await handler(request)


async def body(request: web.Request) -> bytes:
    """Return a request's body; raises HTTPRequestTimeout if it takes longer than BODY_S."""
    try:
        return await asyncio.wait_for(request.read(), BODY_S)
    except asyncio.TimeoutError:
        raise web.HTTPRequestTimeout from None


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Answer an Expect header before a body is sent: 100-continue, or a refusal."""
    if request.version < HttpVersion11:
        return None
    if request.headers["Expect"].lower() != "100-continue":
        return response(errors.bad_request("The expectation is not supported.", 417))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # else aiohttp would take the answer as sent
    return None
