"""The VMs' metadata service, on Azure http://169.254.169.254, which no loopback address can be."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from ..base import connections
from ..base.store import Resource
from ..compute import guest_power
from ..rules import scheduled_events
from ..state import Emulator
from . import instance_metadata
from .identity_tokens import TokenRefused, token

log = logging.getLogger(__name__)

# An address of its own, so that a VM can spare it from its proxies and nothing else with it.
ADDRESS = "127.169.254.169"
BODY_LIMIT = 64 * 1024

Answer = Callable[[Resource, web.Request, list[str]], Awaitable[web.Response]]


class MetadataServer:
    """The server that answers GET URL/metadata/..., where URL is em.metadata.url(vm)."""

    def __init__(self, em: Emulator) -> None:
        self._em = em
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._greeted: set[str] = set()
        self._answers: dict[tuple[str, str], Answer] = {
            ("GET", "instance"): self._instance,
            ("GET", "scheduledevents"): self._show_events,
            ("POST", "scheduledevents"): self._approve_events,
            ("GET", "identity"): self._identity,
        }

    async def start(self) -> None:
        """Listen; em.metadata knows the address when this returns."""
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[connections.heard])
        app.on_response_prepare.append(self._date)
        app.router.add_route("*", "/{secret}/metadata/{path:.*}", self._handle)
        app.router.add_route("POST", "/{secret}/power/{action}", self._power)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        try:
            listener = socket.create_server((ADDRESS, 0), backlog=128)
        except OSError:  # not all systems have the whole of 127.0.0.0/8
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._server = await connections.listen(self._runner, sock=listener, backlog=128)
        address, port = listener.getsockname()
        self._em.metadata.base = f"http://{address}:{port}"

    async def stop(self) -> None:
        if self._runner and self._server:
            self._server.close()
            await self._runner.cleanup()

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = format_datetime(self._em.clock.now(), usegmt=True)

    async def _handle(self, request: web.Request) -> web.Response:
        vm = self._em.metadata.vm(request.match_info["secret"])
        if vm is None or self._em.store.find(vm.id) is not vm:
            return _error(404, "Not found")
        if request.headers.get("Metadata", "").lower() != "true":
            return _error(400, "Bad request. Required metadata header not specified")
        if "X-Forwarded-For" in request.headers:
            return _error(400, "Bad request. X-Forwarded-For header is not allowed")
        names = [name for name in request.match_info["path"].split("/") if name]
        kind = names[0].lower() if names else ""
        answer = self._answers.get((request.method, kind))
        if answer:
            return await answer(vm, request, names[1:])
        known = any(kind == name for _, name in self._answers)
        return _error(405, "Method not allowed") if known else _error(404, "Not found")

    async def _power(self, request: web.Request) -> web.Response:
        """Take note that a guest ends or restarts itself, which Azure's hypervisor would see."""
        vm = self._em.metadata.vm(request.match_info["secret"])
        action = request.match_info["action"]
        if vm is None or self._em.store.find(vm.id) is not vm or action not in guest_power.ACTIONS:
            return _error(404, "Not found")
        self._em.operations.spawn(guest_power.act(self._em, vm, action))
        return web.Response(status=202)

    async def _instance(self, vm: Resource, request: web.Request, path: list[str]) -> web.Response:
        versions = instance_metadata.VERSIONS
        version = request.query.get("api-version")
        if version not in versions:
            return _wrong_version(version, versions)
        document = instance_metadata.document(self._em, vm, version)
        try:
            value = instance_metadata.part(document, path)
        except KeyError:
            return _error(404, "Not found")
        form = request.query.get("format", "json").lower()
        if form == "text":
            return web.Response(text=instance_metadata.as_text(value))
        if form != "json" or not isinstance(value, (dict, list)):
            return _error(400, "Bad request. A leaf of the document has only the format text")
        return _json(200, value)

    async def _show_events(self, vm: Resource, request: web.Request, _: list[str]) -> web.Response:
        """Answer the VM's events.

        Its first request switches the service on, for up to two minutes.
        """
        versions = scheduled_events.VERSIONS
        version = request.query.get("api-version")
        if version not in versions:
            return _wrong_version(version, versions)
        if vm.key not in self._greeted:
            await self._em.clock.sleep(self._em.durations.draw("scheduled_events"))
            self._greeted.add(vm.key)
        return _json(200, self._em.scheduled_events.document(vm, version))

    async def _approve_events(
        self, vm: Resource, request: web.Request, _: list[str]
    ) -> web.Response:
        try:
            body = json.loads(await connections.body(request))
            identifiers = [str(item["EventId"]) for item in body["StartRequests"]]
        except (ValueError, KeyError, TypeError, RecursionError, web.HTTPException):
            return _error(400, "Bad request. The body has no StartRequests with an EventId each")
        if not self._em.scheduled_events.approve(vm, identifiers):
            return _error(400, "Bad request. There is no such event")
        return web.Response(status=200)

    async def _identity(self, vm: Resource, request: web.Request, path: list[str]) -> web.Response:
        if [name.lower() for name in path] != ["oauth2", "token"]:
            return _error(404, "Not found")
        try:
            return _json(200, token(self._em, vm, request.query))
        except TokenRefused as refusal:
            body = {"error": "invalid_request", "error_description": str(refusal)}
            return _json(400, body)


def _json(status: int, body: Any) -> web.Response:
    return web.json_response(body, status=status)


def _error(status: int, text: str) -> web.Response:
    return _json(status, {"error": text})


def _wrong_version(given: str | None, known: tuple[str, ...]) -> web.Response:
    what = "was not specified in the request" if given is None else "is invalid"
    text = f"Bad request. api-version {what}. For more information refer to aka.ms/azureimds"
    return _json(400, {"error": text, "newest-versions": list(known[:-4:-1])})
