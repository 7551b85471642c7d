"""HTTP connections whose every refusal has ARM's shape, also those of the HTTP library itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import HttpVersion11, web

from ..base import errors
from ..base.errors import ArmError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def response(error: ArmError) -> web.Response:
    body = json.dumps(error.body(), separators=(",", ":"))
    return web.Response(
        status=error.status, text=body, content_type="application/json", headers=error.headers
    )


class Connection(web.RequestHandler):
    """An HTTP connection that answers like ARM also to what is no HTTP, or too long a line."""

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
    return await loop.create_server(lambda: Connection(manager, **options), **where)


@web.middleware
async def arm_shaped(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in ARM's shape also to targets that have no path: OPTIONS *, CONNECT host:port."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return response(errors.bad_request(refusal.reason, refusal.status))


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Answer an Expect header before a body is sent: 100-continue, or a refusal."""
    if request.version < HttpVersion11:
        return None
    if request.headers["Expect"].lower() != "100-continue":
        return response(errors.bad_request("The expectation is not supported.", 417))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # else aiohttp would take the answer as sent
    return None
