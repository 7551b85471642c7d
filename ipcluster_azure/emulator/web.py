"""HTTP: who may ask, what a request means, and the headers that all of ARM's answers carry."""

from __future__ import annotations

import hmac
import json
import logging
import re
import time
import uuid
from datetime import datetime, timezone

from aiohttp import web

from . import connections, control, errors, inputs, routes
from .arm import ArmRequest, ArmResponse
from .errors import ArmError
from .state import Emulator

log = logging.getLogger(__name__)

SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)


class Front:
    """The one HTTP handler. last_request: monotonic time, for the end of an idle emulator."""

    def __init__(self, em: Emulator, token: str, stop: control.Stop) -> None:
        self._em = em
        self._expected = f"Bearer {token}".encode()
        self._control = control.Control(em, stop)
        self.last_request = time.monotonic()

    def application(self) -> web.Application:
        app = web.Application(
            client_max_size=inputs.BODY_LIMIT, middlewares=[connections.arm_shaped]
        )
        app.router.add_route("*", "/{path:.*}", self.handle, expect_handler=connections.expect)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            answer = await self._answer(request)
        except ArmError as error:
            answer = ArmResponse(error.status, error.body(), error.headers)
        except Exception as exception:
            log.exception("%s %s failed", request.method, request.path)
            failure = errors.internal(exception)
            answer = ArmResponse(failure.status, failure.body())
        headers = {**self._common_headers(request), **answer.headers}
        body = None
        if answer.body is not None and request.method != "HEAD":
            body = json.dumps(answer.body, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        log.info("%s %s -> %d", request.method, request.path_qs, answer.status)
        return web.Response(status=answer.status, body=body, headers=headers)

    async def _answer(self, request: web.Request) -> ArmResponse:
        self._authenticate(request)
        self.last_request = time.monotonic()
        path = inputs.path(request)
        if path.lower().startswith("/emulator"):
            return await self._control.answer(request.method, path.lower())
        query = inputs.query(request)
        inputs.check_api_version(query.get("api-version"))
        match = SUBSCRIPTION.match(path)
        if match and match[1].lower() != self._em.store.subscription_id:
            raise errors.subscription_not_found(match[1])
        handler, params = routes.find(request.method, path)
        writes = request.method in ("PUT", "PATCH", "POST")
        body = await inputs.json_body(request) if writes else None
        arm_request = ArmRequest(
            request.method, path, params, query, body, inputs.base_url(request)
        )
        answer = handler(self._em, arm_request)
        return answer if isinstance(answer, ArmResponse) else await answer

    def _authenticate(self, request: web.Request) -> None:
        given = request.headers.get("Authorization")
        if given is None:
            raise errors.authentication_failed("The 'Authorization' header is missing.")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._expected):
            raise errors.authentication_failed("The access token is invalid.")

    def _common_headers(self, request: web.Request) -> dict[str, str]:
        identifier = str(uuid.uuid4())
        now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        kind = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(request.method, "writes")
        headers = {
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Expires": "-1",
            "Server": "Microsoft-HTTPAPI/2.0 (ipcluster-azure emulator)",
            f"x-ms-ratelimit-remaining-subscription-{kind}": "249" if kind == "reads" else "199",
            "x-ms-request-id": identifier,
            "x-ms-correlation-request-id": inputs.correlation_id(request, identifier),
            "x-ms-routing-request-id": f"EASTUS:{now}:{identifier}",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
        }
        if "/microsoft.network/" in request.path.lower():
            headers["x-ms-arm-service-request-id"] = str(uuid.uuid4())
        return headers
