"""Stands between a client and the emulator, counts the exchanges, and does harm at one of them.

The client finds it as it finds the emulator, by a state directory. What isn't the Resource
Manager's passes uncounted: the emulator's own routes, and prices, which another host has.
"""

import asyncio
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import aiohttp
import trustme
from aiohttp import web

from azure_emulator.client import EmulatorInfo

BEFORE, AFTER = "before it is forwarded", "before its reply"
MOMENTS = (BEFORE, AFTER)
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
START_TIMEOUT_S = 10.0
CLOSING_S = 0.25  # TLS connections take some turns of the loop to close


def kind_of(method: str, path: str) -> str:
    """Method and resource type: `PUT Microsoft.Network/virtualNetworks`, `GET resourceGroups`."""
    parts = path.strip("/").split("/")
    if "providers" not in parts:
        return f"{method} resourceGroups"
    namespace, *rest = parts[parts.index("providers") + 1 :]
    return f"{method} {'/'.join([namespace, *rest[::2]])}"


class KillProxy:
    """`kinds`: the exchanges so far, in order. `info`: where clients find this."""

    def __init__(self, emulator: EmulatorInfo, folder: Path) -> None:
        self._emulator, self._folder = emulator, folder
        self.kinds: list[str] = []
        self._unreachable = self._acted = False
        self._number = 0
        self._kind = ""
        self._moment = BEFORE
        self._act: Callable[[], None] | None = None
        self._closes = False

    def act_at(
        self,
        number: int,
        moment: str,
        act: Callable[[], None],
        *,
        kind: str = "",
        closes: bool = False,
    ) -> None:
        """Call `act` once, at the number-th exchange from now on (of that kind, if one is given).

        Counting begins anew, and Azure can be reached again. The exchange goes on as if nothing had
        happened, or with `closes` is cut there.
        """
        self.watch()
        self._number, self._moment, self._kind = number, moment, kind
        self._act, self._closes = act, closes

    def watch(self) -> None:
        """Count anew, and do no harm."""
        self.kinds.clear()
        self._unreachable, self._act, self._acted = False, None, False

    @property
    def acted(self) -> bool:
        """Whether what was to be done has been."""
        return self._acted

    def cut_off(self) -> None:
        """Close each connection that asks for anything of Azure's, until told otherwise."""
        self._unreachable = True

    @contextmanager
    def running(self) -> Iterator["KillProxy"]:
        listening = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._run(listening)))
        thread.start()
        try:
            if not listening.wait(START_TIMEOUT_S):
                raise RuntimeError("the proxy does not listen")
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stopped.set)
            thread.join()

    async def _run(self, listening: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self._folder / "ca.pem")
        authority.issue_cert("127.0.0.1").configure_cert(server)
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", self._handle)
        # else aiohttp would wait for a handler whose client was killed
        runner = web.AppRunner(application, handler_cancellation=False, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server)
        await site.start()
        trusted = ssl.create_default_context(cafile=self._emulator.ca_file)
        connector = aiohttp.TCPConnector(ssl=trusted)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            self._session = session
            self._announce(runner.addresses[0][1])
            listening.set()
            await self._stopped.wait()
        await runner.cleanup()
        await asyncio.sleep(CLOSING_S)

    def _announce(self, port: int) -> None:
        token = self._folder / "token"
        shutil.copy(self._emulator.token_file, token)
        self.info = replace(
            self._emulator,
            endpoint=f"https://127.0.0.1:{port}",
            ca_file=str(self._folder / "ca.pem"),
            token_file=str(token),
            state_dir=str(self._folder),
        )
        (self._folder / "emulator.json").write_text(json.dumps(asdict(self.info)))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(("/emulator", "/api/retail/prices")):
            return await self._forward(request)
        act = self._due(kind_of(request.method, request.path))
        if self._unreachable:
            return _close(request)
        if act is None:
            return await self._forward(request)
        if self._moment == BEFORE:
            await self._do(act)
            return _close(request) if self._closes else await self._forward(request)
        reply = await self._forward(request)
        await self._do(act)
        return _close(request) if self._closes else reply

    async def _do(self, act: Callable[[], None]) -> None:
        await asyncio.to_thread(act)
        self._acted = True

    def _due(self, kind: str) -> Callable[[], None] | None:
        """What is to be done at this exchange, if it is the one."""
        self.kinds.append(kind)
        if self._kind and kind != self._kind:
            return None
        alike = self.kinds.count(kind) if self._kind else len(self.kinds)
        if self._act is None or alike != self._number:
            return None
        act, self._act = self._act, None
        return act

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method,
            self._emulator.endpoint + request.raw_path,
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as reply:
            body = await reply.read()
            kept = {k: v for k, v in reply.headers.items() if k.lower() not in HOP_BY_HOP}
            return web.Response(status=reply.status, headers=kept, body=body)


def _close(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        with suppress(OSError):  # the client is dead, and its end closed
            request.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    return web.Response()  # goes nowhere
