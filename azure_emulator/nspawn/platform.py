"""What machines ask of Azure from inside: instance metadata, and the service that hears of health.

Both are in the router's namespace, on the addresses that Azure has them at; whose machine asks is
known by the address that it asks from.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from xml.etree import ElementTree

import aiohttp
from aiohttp import web

from ..base import connections
from ..guest.machine_interface import MachineSpec
from . import filters, namespaces

log = logging.getLogger(__name__)

GOAL_STATE = """<?xml version="1.0" encoding="utf-8"?>
<GoalState><Version>2012-11-30</Version><Incarnation>1</Incarnation>
<Machine><ExpectedState>Started</ExpectedState></Machine>
<Container><ContainerId>{container}</ContainerId><RoleInstanceList><RoleInstance>
<InstanceId>{vm_id}</InstanceId><State>Started</State>
</RoleInstance></RoleInstanceList></Container></GoalState>
"""
REPORT_LIMIT = 256 * 1024
ANSWER_S = 150.0  # a machine's first question for scheduled events takes two minutes


class Health:
    """What a machine's guest has said of its provisioning: nothing yet, ready, or why not."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.problem = ""

    def tell(self, problem: str) -> None:
        """Take note of what it says; empty: it is ready, or nothing more is heard of it."""
        self.problem = problem
        self.told.set()


class Platform:
    """The two servers. `find` returns the machine that has a private address, if one has."""

    def __init__(self, namespace: str, find: Callable[[str], MachineSpec | None]) -> None:
        self._namespace = namespace
        self._find = find
        self._health: dict[str, Health] = {}
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._servers: list[asyncio.Server] = []

    def health(self, vm_id: str) -> Health:
        """Return what is heard of a machine from now on."""
        return self._health.setdefault(vm_id, Health())

    def forget(self, vm_id: str) -> None:
        if health := self._health.pop(vm_id, None):
            health.tell("")

    async def start(self) -> None:
        in_time = aiohttp.ClientTimeout(total=ANSWER_S)
        self._client = aiohttp.ClientSession(auto_decompress=False, timeout=in_time)
        app = web.Application(client_max_size=REPORT_LIMIT, middlewares=[connections.heard])
        app.router.add_route("*", "/metadata/{path:.*}", self._metadata)
        app.router.add_get("/machine/", self._goal_state)
        app.router.add_get("/machine", self._goal_state)
        app.router.add_post("/machine", self._report)
        app.router.add_post("/machine/", self._report)
        app.router.add_get("/", self._versions)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        for address in (filters.METADATA, filters.PLATFORM):
            listener = namespaces.listener(self._namespace, address, 80)
            self._servers.append(await connections.listen(self._runner, sock=listener))

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        if self._runner:
            await self._runner.cleanup()
        if self._client:
            await self._client.close()

    def _asker(self, request: web.Request) -> MachineSpec:
        spec = self._find(request.remote or "")
        if spec is None:
            raise web.HTTPNotFound
        return spec

    async def _metadata(self, request: web.Request) -> web.Response:
        """Hand the request on to the emulator's metadata service, to the machine's secret path."""
        spec = self._asker(request)
        if self._client is None:
            raise web.HTTPServiceUnavailable
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        url = f"{spec.metadata_url}{request.raw_path}"
        data = await connections.body(request)
        asking = self._client.request(request.method, url, headers=headers, data=data)
        try:
            async with asking as answer:
                kept = {
                    name: answer.headers[name]
                    for name in ("Content-Type", "Date", "Retry-After")
                    if name in answer.headers
                }
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except asyncio.TimeoutError:
            raise web.HTTPGatewayTimeout from None

    async def _versions(self, _: web.Request) -> web.Response:
        return _xml("<Versions><Supported><Version>2012-11-30</Version></Supported></Versions>")

    async def _goal_state(self, request: web.Request) -> web.Response:
        spec = self._asker(request)
        container = uuid.uuid5(uuid.NAMESPACE_URL, spec.vm_id)
        return _xml(GOAL_STATE.format(container=container, vm_id=spec.vm_id))

    async def _report(self, request: web.Request) -> web.Response:
        """Take note of a machine's health: Ready, or NotReady with a reason."""
        spec = self._asker(request)
        health = self.health(spec.vm_id)
        with contextlib.suppress(ElementTree.ParseError):
            report = ElementTree.fromstring(await connections.body(request))  # noqa: S314 - no entities
            state = report.findtext(".//State", "")
            status = report.findtext(".//SubStatus", "")
            problem = f"{status}: {report.findtext('.//Description', '')}"
            if state in ("Ready", "NotReady"):
                health.tell(problem if state == "NotReady" else "")
                log.info("%s says that it is %s %s", spec.name, state, health.problem)
        return web.Response(status=200)


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/xml")
