"""HTTP: who may ask, what a request means, and the headers that all of ARM's answers carry."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from email.utils import format_datetime

from aiohttp import web

from ..base import connections, errors, versions
from ..base.errors import ArmError
from ..base.messages import JSON, ArmRequest, ArmResponse
from ..state import Emulator
from ..subscription import retail_prices
from . import blobs, control_routes, dispatch, graph, inputs, reply_faults, routes, sign_in
from .dispatch import Passage

log = logging.getLogger(__name__)

# Also what Microsoft.Network answers below a scale set.
NETWORK_PATH = re.compile(
    r"/microsoft\.network/|/virtualMachineScaleSets/.*/(networkInterfaces|publicIPAddresses)",
    re.IGNORECASE,
)
SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)


class Front:
    """The one HTTP handler. last_request: monotonic time, for the end of an idle emulator."""

    def __init__(self, em: Emulator, stop: control_routes.Stop) -> None:
        self._em = em
        self._stop = stop
        self._identifiers = em.chance.stream("requests")
        self.last_request = time.monotonic()

    def application(self) -> web.Application:
        app = web.Application(
            client_max_size=inputs.BODY_LIMIT,
            middlewares=[connections.heard, connections.arm_shaped],
        )
        app.router.add_route("*", "/{path:.*}", self.handle, expect_handler=connections.expect)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if blobs.is_meant(request):
            self.last_request = time.monotonic()
            return blobs.answer(self._em, request)
        passage = Passage()
        try:
            answer = await self._answer(request, passage)
        except ArmError as error:
            answer = ArmResponse(error.status, error.body(), error.headers)
        except Exception as exception:
            log.exception("%s %s failed", request.method, request.path)
            failure = errors.internal(exception)
            answer = ArmResponse(failure.status, failure.body())
        own = request.path.lower().startswith("/emulator")
        common = {} if own or _asks_for_prices(request) else self._common_headers(request)
        headers = {**common, **passage.headers, **answer.headers}
        body = None
        if answer.body is not None:
            headers |= JSON
            if request.method != "HEAD":
                body = json.dumps(answer.body, separators=(",", ":")).encode()
        log.info("%s %s -> %d", request.method, request.path_qs, answer.status)
        return await reply_faults.send(
            request, self._em.clock, passage.met, answer.status, headers, body
        )

    async def _answer(self, request: web.Request, passage: Passage) -> ArmResponse:
        path = inputs.path(request)
        unsigned = sign_in.OPEN.get(path.lower()) if request.method == "GET" else None
        if unsigned:
            return unsigned(self._em, request)
        if _asks_for_prices(request):
            self.last_request = time.monotonic()
            return retail_prices.answer(inputs.query(request), inputs.base_url(request))
        principal = self._em.permissions.authenticate(request.headers.get("Authorization"))
        self.last_request = time.monotonic()
        if path.lower().startswith("/emulator"):
            self._em.permissions.check_owner(principal)
            body = await inputs.json_body(request)
            return await control_routes.answer(
                self._em, self._stop, request.method, path.lower(), body
            )
        query = inputs.query(request)
        if path.lower().startswith(graph.PREFIX):
            body = await inputs.json_body(request)
            return graph.answer(self._em, request.method, path, query, body)
        word = versions.word_for_deletes(path, query.get("api-version", ""))
        match = SUBSCRIPTION.match(path)
        scope = "subscription" if match else "tenant"
        passage.headers |= self._em.throttle.take_arm(
            principal.object_id, request.method, word, scope
        )
        inputs.check_api_version(query.get("api-version"))
        if match and match[1].lower() != self._em.store.subscription_id:
            raise errors.subscription_not_found(match[1])
        route, params = routes.find(request.method, path)
        writes = request.method in ("PUT", "PATCH", "POST")
        body = await inputs.json_body(request) if writes else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        arm_request = ArmRequest(
            *(request.method, path, params, query, body, inputs.base_url(request)),
            *(headers, principal),
        )
        return await dispatch.carry_out(self._em, route, arm_request, passage)

    def _common_headers(self, request: web.Request) -> dict[str, str]:
        identifier = self._new_identifier()
        now = self._em.clock.now()
        headers = {
            "Date": format_datetime(now, usegmt=True),
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Expires": "-1",
            "Server": "Microsoft-HTTPAPI/2.0 (ipcluster-azure emulator)",
            "x-ms-request-id": identifier,
            "x-ms-correlation-request-id": inputs.correlation_id(request, identifier),
            "x-ms-routing-request-id": f"EASTUS:{now:%Y%m%dT%H%M%SZ}:{identifier}",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
        }
        if NETWORK_PATH.search(request.path):
            headers["x-ms-arm-service-request-id"] = self._new_identifier()
        if "/microsoft.compute/" in request.path.lower():
            headers["x-ms-served-by"] = f"{self._new_identifier()}_0"
        return headers

    def _new_identifier(self) -> str:
        return str(uuid.UUID(int=self._identifiers.getrandbits(128), version=4))


def _asks_for_prices(request: web.Request) -> bool:
    """Whether the request is for the retail prices, which are another host's on Azure."""
    return request.method == "GET" and inputs.path(request).lower() == retail_prices.PATH
