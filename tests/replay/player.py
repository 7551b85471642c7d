"""Asks the emulator what a session asked Azure, with names mapped, and collects the differences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from azure_emulator.base.api_versions import DISKS
from tests.azure_emulator.cloud import Answer, Cloud

from . import machines, prerequisites, refusals, rewritten, templates
from .compare import differences
from .names import Names
from .sessions import UNKNOWN, Exchange, is_list, operation_key, resource_type, served

ANY_SUBSCRIPTION = re.compile(r"/subscriptions/[0-9a-f-]{36}", re.IGNORECASE)
API_VERSION = "2021-04-01"
LONG_S = 3 * 3600.0
LAST_RESORT = "2022-11-01"


@dataclass(frozen=True)
class Result:
    exchange: Exchange
    differences: list[str]


class Player:
    """One emulator with a virtual clock; each session finds it empty."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._operations: dict[str, str] = {}  # recorded URL -> the emulator's
        self._subnets: dict[str, list[str]] = {}
        self._created: set[str] = set()
        self._names = Names([])
        self._session: list[Exchange] = []
        self._version: str | None = None

    def play(self, session: Iterable[Exchange]) -> Iterator[Result]:
        """A result for each exchange that the emulator is meant to answer."""
        exchanges = list(session)
        self._cloud.call("POST", "/emulator/reset", version=None)
        self._operations.clear()
        self._created.clear()
        self._subnets = _subnets(exchanges)
        self._names = Names(exchanges)
        self._session = exchanges
        self._version = rewritten.version_of(exchanges)
        strange = templates.not_served(exchanges)
        for exchange in exchanges:
            if any(exchange.path.lower().startswith(path) for path in strange):
                continue
            if _cannot_be_asked(exchange, exchanges):
                continue
            if exchange.is_poll:
                if exchange.url in self._operations:
                    yield Result(exchange, self._poll(exchange))
            elif served(exchange):
                yield Result(exchange, self._ask(exchange))

    def _poll(self, exchange: Exchange) -> list[str]:
        if not exchange.under_way:
            self._pass_time()
        answer = self._cloud.call("GET", self._operations[exchange.url], version=None)
        if exchange.under_way and answer.body and answer.body.get("status") == "Succeeded":
            # Several went on at once: the one clock can't keep this one back.
            return [] if answer.status == exchange.status else [f"status {answer.status}"]
        return differences(exchange, answer.status, answer.headers, answer.body)

    def _ask(self, exchange: Exchange) -> list[str]:
        waits = not (exchange.shows_work or exchange.interrupts)
        if waits:
            self._pass_time()
        if exchange.status != 404:
            self._prepare(exchange)
        if waits:
            self._pass_time()
        quota = refusals.is_quota(exchange)
        if quota:
            self._cloud.call("POST", "/emulator/quotas", refusals.CORES, version=None)
        answer = self._call(exchange.method, exchange.path, exchange.query, self._body(exchange))
        if quota:
            self._cloud.call("DELETE", "/emulator/quotas", version=None)
        self._remember(exchange, answer)
        self._names.learn(exchange.answer, answer.body)
        status = 201 if self._created_twice(exchange, answer.status) else answer.status
        if _has_ended(exchange, answer.body):
            # Several went on at once: the one clock can't keep this one back.
            return [] if status == exchange.status else [f"status {status}"]
        return differences(exchange, status, answer.headers, answer.body)

    def _created_twice(self, exchange: Exchange, status: int) -> bool:
        """Azure said 201 to each of two that created the same at the same time; here one waits."""
        path = exchange.path.lower()
        if exchange.method == "DELETE":
            self._created.discard(path)
        if exchange.method != "PUT" or exchange.status != 201:
            return False
        again = path in self._created
        self._created.add(path)
        return again and status == 200

    def _pass_time(self) -> None:
        self._cloud.call("POST", "/emulator/clock", {"advance_s": LONG_S}, version=None)

    def _body(self, exchange: Exchange) -> Any:
        if templates.is_unknown(exchange):
            body, links = templates.body_for(exchange, self._session)
            for uri, content in links.items():
                declared = {"uri": uri, "content": content}
                self._cloud.call("POST", "/emulator/links", declared, version=None)
            return self._mapped(body)
        source = prerequisites if exchange.status < 400 else refusals
        body = self._names.mapped_ids(exchange.path, source.body_for(exchange))
        return self._mapped(body)

    def _mapped(self, body: Any) -> Any:
        if isinstance(body, str):
            return self._names.mapped(ANY_SUBSCRIPTION.sub(self._cloud.subscription, body))
        if isinstance(body, list):
            return [self._mapped(item) for item in body]
        if isinstance(body, dict):
            return {name: self._mapped(item) for name, item in body.items()}
        return body

    def _call(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        url = self._mapped(path)
        query = {"api-version": API_VERSION, **self._mapped(query)}
        fits = not _is_disk(path) or self._version in DISKS
        if self._version and fits and "/microsoft.compute/" in path.lower():
            query["api-version"] = self._version
        text = urlencode(query)
        return self._cloud.call(method, f"{url}?{text}", body, version=None)

    def _remember(self, exchange: Exchange, answer: Answer) -> None:
        """Which URL of ours stands for the one that the recorded client asks next."""
        for name in ("azure-asyncoperation", "location"):
            if name in exchange.headers and name in answer.headers:
                parts = urlsplit(exchange.headers[name])
                key = operation_key(parts.path, {k.lower(): v for k, v in parse_qsl(parts.query)})
                self._operations[key] = answer.headers[name]

    # What has to be there first

    def _prepare(self, exchange: Exchange) -> None:
        location = prerequisites.location_of(exchange.body, exchange.answer)
        group = prerequisites.group_of(exchange.path)
        if group and not (exchange.status == 201 and exchange.path == group):
            self._make_group(group, location)
        refused = exchange.status >= 400
        body = refusals.body_for(exchange) if refused else prerequisites.body_for(exchange)
        if exchange.method == "PUT" and exchange.status == 200:
            self._make(exchange.path, location, body)
        elif exchange.method != "PUT":
            shown = prerequisites.request_body(exchange.answer)
            whole = exchange.method in ("GET", "PATCH") and not (
                exchange.is_action or refused or is_list(exchange.path)
            )
            spot = exchange.path.lower().endswith("/simulateeviction")
            self._make_scale_set(exchange, location)
            self._make(exchange.path, location, shown if whole else None, spot=spot)
        if exchange.method in ("PUT", "PATCH"):
            self._make_referenced(body, location)

    def _exists(self, path: str) -> bool:
        return self._call("GET", path, {}, None).status == 200

    def _make_group(self, group: str, location: str) -> None:
        if not self._exists(group):
            self._call("PUT", group, {}, {"location": location})

    def _make_referenced(self, body: Any, location: str) -> None:
        for identifier in prerequisites.references(body):
            self._make(identifier, location, None)

    def _make_scale_set(self, exchange: Exchange, location: str) -> None:
        """The one whose machines an answer shows."""
        shown = exchange.answer.get("value", [exchange.answer]) if exchange.answer else []
        if (
            exchange.kind.endswith("scalesets/virtualmachines")
            and exchange.method == "GET"
            and shown
        ):
            capacity = max(int(item["instanceId"]) for item in shown) + 1
            owner = _resource(exchange.path)
            if owner:
                self._make(owner, location, machines.scale_set_of(shown[0], capacity))

    def _make(self, path: str, location: str, body: Any, *, spot: bool = False) -> None:
        """The resource, or the one that a sub-resource or an action belongs to."""
        owner = _resource(path)
        if owner is None or self._exists(owner):
            return
        group = prerequisites.group_of(owner)
        if group is None:
            return
        self._make_group(group, location)
        chosen = prerequisites.with_login(body) if owner == path and body else None
        if chosen is None:
            chosen = prerequisites.simple_body(
                owner, location, self._subnets.get(owner.lower(), ["all"]), spot=spot
            )
        if chosen is not None:
            self._make_referenced(chosen, location)
            version = API_VERSION if _is_disk(owner) else LAST_RESORT
            self._call("PUT", owner, {"api-version": version}, self._mapped(chosen))
            self._pass_time()


def _is_disk(path: str) -> bool:
    """Return whether this is of a type whose api-versions are not those of machines."""
    return "/microsoft.compute/disks" in path.lower()


def _cannot_be_asked(exchange: Exchange, session: list[Exchange]) -> bool:
    """Azure's own failures, and questions or answers made of a body that was not recorded."""
    lost = exchange.body == UNKNOWN
    refused_change = exchange.method == "PATCH" and exchange.status >= 400
    path = exchange.path.lower()
    made_up = path.endswith("/exporttemplate") and any(map(templates.is_unknown, session))
    return (
        exchange.status >= 500 or (lost and (refused_change or path.endswith("/whatif"))) or made_up
    )


def _has_ended(exchange: Exchange, body: Any) -> bool:
    """A deployment that was still under way when it was recorded, and no longer is."""
    under_way = exchange.kind == templates.KIND and exchange.shows_work
    shown = (body.get("properties") or {}) if isinstance(body, dict) else {}
    return under_way and shown.get("provisioningState") == "Succeeded"


def _subnets(exchanges: list[Exchange]) -> dict[str, list[str]]:
    """Network id -> the subnets that the session speaks of."""
    found: dict[str, list[str]] = {}
    bodies = [exchange.body for exchange in exchanges] + [e.answer for e in exchanges]
    for identifier in (text for body in bodies for text in prerequisites.references(body)):
        network, _, name = identifier.lower().partition("/subnets/")
        if name and "/" not in name and name not in found.setdefault(network, []):
            found[network].append(name)
    return found


def _resource(path: str) -> str | None:
    """The top-level resource of a path; None for groups and subscriptions."""
    if "/providers/" not in path.lower() or not prerequisites.group_of(path):
        return None
    at = path.lower().rindex("/providers/")
    parts = path[at + 1 :].split("/")
    owner = path[:at] + "/" + "/".join(parts[:4])
    return owner if len(parts) >= 4 and resource_type(owner).count("/") == 1 else None
