"""What a template's functions want to know of resources: reference(), references(), list*()."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..base.messages import ArmRequest
from ..state import Emulator
from ..templates.evaluation import Evaluator
from ..templates.plan import Plan, asking
from ..templates.values import UNKNOWN, Unknown, is_known
from .internal_requests import send
from .record import Json


class Ask(NamedTuple):
    """What a template function wants to know of a resource; body: JSON, or empty."""

    method: str
    path: str
    version: str
    body: str = ""


class Lookups:
    """Answers the functions of one deployment's template, by requests in its caller's name."""

    def __init__(self, em: Emulator, request: ArmRequest, plan: Plan) -> None:
        self._em, self._request, self._plan = em, request, plan

    async def known(self, evaluator: Evaluator, evaluate: Callable[[Evaluator], Json]) -> Json:
        """Return what is evaluated, once everything that reference() asks for has been read."""
        read: dict[Ask, Json] = {}
        while True:
            self._plan.budget.renew()
            unread: list[Ask] = []
            value = evaluate(self._referring(evaluator, read, unread))
            if not unread:
                return value
            for ask in dict.fromkeys(unread):
                body = json.loads(ask.body) if ask.body else None
                answer = await send(
                    self._em, self._request, ask.method, ask.path, ask.version, body
                )
                read[ask] = answer.body

    def _referring(
        self, evaluator: Evaluator, read: Mapping[Ask, Json], unread: list[Ask]
    ) -> Evaluator:
        """Return an evaluator whose functions show what has been read and note what has not."""
        directory = self._plan.directory

        def answer(ask: Ask) -> Any:
            if ask not in read:
                unread.append(ask)
                return UNKNOWN
            return read[ask]

        def reference(name: str, version: str | None = None, full: str | None = None) -> Any:
            target = directory.reference(name, version is not None)
            identifier = target.id if target else name
            used = version or (target.api_version if target else "")
            body = answer(Ask("GET", identifier, used))
            if isinstance(body, Unknown):
                return body
            return _full(identifier, used, body) if full else body.get("properties", {})

        def references(name: str, full: str | None = None) -> Any:
            found = [reference(one.id, None, full) for one in directory.copies(name)]
            return found if is_known(found) else UNKNOWN

        def list_(action: str, name: str, version: str, body: Any = None) -> Any:
            target = directory.reference(name, True)
            sent = json.dumps(body) if body is not None else ""
            path = f"{target.id if target else name}/{action}"
            return answer(Ask("POST", path, version, sent))

        return evaluator.also(asking(reference, references, list_))


def _full(identifier: str, version: str, body: Json) -> Json:
    shown = {key: body[key] for key in body if key not in ("id", "name", "type", "etag")}
    parts = identifier.split("/")
    in_group = len(parts) > 4 and parts[3].lower() == "resourcegroups"
    return shown | {
        "apiVersion": version,
        "subscriptionId": parts[2],
        **({"resourceGroupName": parts[4]} if in_group else {}),
        "scope": "",
        "resourceId": identifier.split("/providers/", 1)[-1],
        "referenceApiVersion": version,
        "condition": True,
        "isConditionTrue": True,
        "isTemplateResource": False,
        "isAction": False,
        "provisioningOperation": "Read",
    }
