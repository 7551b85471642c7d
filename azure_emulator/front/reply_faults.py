"""How an answer goes out: whole, as a rule; or as a fault of the connection has it."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from ..base.clock import Clock
from ..rules.faults import Met

PIECE_S = 0.1  # a slow reply comes in pieces, this far apart


async def send(
    request: web.Request,
    clock: Clock,
    met: Met,
    status: int,
    headers: Mapping[str, str],
    body: bytes | None,
) -> web.StreamResponse:
    if "drop" in met or "lose_reply" in met:
        return _hung_up(request)
    if "cut_reply" in met:
        return await _cut(request, status, headers, body) if body else _hung_up(request)
    if "slow_reply" in met and body:
        rate = met["slow_reply"].body["bytes_per_s"]
        return await _trickled(request, clock, status, headers, body, rate)
    return web.Response(status=status, body=body, headers=headers)


def _hung_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _begun(
    request: web.Request, status: int, headers: Mapping[str, str], body: bytes
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    return response


async def _cut(
    request: web.Request, status: int, headers: Mapping[str, str], body: bytes
) -> web.StreamResponse:
    response = await _begun(request, status, headers, body)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # unlike abort() it sends what has been written
    return response


async def _trickled(
    request: web.Request,
    clock: Clock,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    bytes_per_s: int,
) -> web.StreamResponse:
    response = await _begun(request, status, headers, body)
    size = max(1, round(bytes_per_s * PIECE_S))
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        await clock.wait(len(piece) / bytes_per_s)
        await response.write(piece)
    await response.write_eof()
    return response
