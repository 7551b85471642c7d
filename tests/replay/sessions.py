"""Recordings as sessions: what one client asked, in its order, and what Azure answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

UNKNOWN = "?"  # a body that was not recorded
# The emulated resource types; with them their actions and what their path belongs to.
SERVED = {
    "microsoft.resources/locations",
    "microsoft.resources/providers",
    "microsoft.resources/resourcegroups",
    "microsoft.resources/resources",
    "microsoft.resources/subscriptions",
    "microsoft.resources/tagnames",
    "microsoft.resources/deployments",
    "microsoft.network/locations/usages",
    "microsoft.network/virtualnetworks",
    "microsoft.network/virtualnetworks/checkipaddressavailability",
    "microsoft.network/virtualnetworks/subnets",
    "microsoft.network/virtualnetworks/usages",
    "microsoft.network/virtualnetworks/virtualnetworkpeerings",
    "microsoft.network/networksecuritygroups",
    "microsoft.network/networksecuritygroups/defaultsecurityrules",
    "microsoft.network/networksecuritygroups/securityrules",
    "microsoft.network/publicipaddresses",
    "microsoft.network/networkinterfaces",
    "microsoft.network/networkinterfaces/ipconfigurations",
    "microsoft.network/natgateways",
    "microsoft.compute/virtualmachines",
    "microsoft.compute/virtualmachinescalesets",
    "microsoft.compute/virtualmachines/extensions",
    "microsoft.compute/virtualmachines/vmsizes",
    "microsoft.compute/virtualmachinescalesets/extensions",
    "microsoft.compute/virtualmachinescalesets/networkinterfaces",
    "microsoft.compute/virtualmachinescalesets/skus",
    "microsoft.compute/virtualmachinescalesets/virtualmachines",
    "microsoft.compute/virtualmachinescalesets/virtualmachines/networkinterfaces",
    "microsoft.compute/availabilitysets",
    "microsoft.compute/availabilitysets/vmsizes",
    "microsoft.compute/proximityplacementgroups",
    "microsoft.compute/sshpublickeys",
    "microsoft.compute/locations/runcommands",
    "microsoft.compute/locations/usages",
    "microsoft.compute/locations/virtualmachines",
    "microsoft.compute/locations/vmsizes",
    "microsoft.compute/disks",
}


@dataclass(frozen=True)
class Exchange:
    source: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    headers: dict[str, str]
    answer: Any

    @property
    def url(self) -> str:
        """Path and query as recorded: what a later request for an operation's URL repeats."""
        return operation_key(self.path, self.query)

    @property
    def is_poll(self) -> bool:
        return self.method == "GET" and is_operation(self.path)

    @property
    def under_way(self) -> bool:
        """A poll whose answer was: not yet."""
        state = self.answer.get("status") if isinstance(self.answer, dict) else None
        running = state in ("InProgress", "Running", "Accepted")
        return self.is_poll and (self.status == 202 or running)

    @property
    def shows_work(self) -> bool:
        """A read of a resource that something was being done to."""
        if self.method != "GET" or not isinstance(self.answer, dict):
            return False
        state = (self.answer.get("properties") or {}).get("provisioningState")
        return state in ("Accepted", "Creating", "Deleting", "Running", "Updating")

    @property
    def interrupts(self) -> bool:
        """The end of something that was still going on."""
        cancelled = self.method == "POST" and self.path.lower().endswith("/cancel")
        return cancelled and self.status < 300

    @property
    def kind(self) -> str:
        """Microsoft.Compute/virtualMachines, in lower case; an operation's is "operation"."""
        return "operation" if is_operation(self.path) else resource_type(self.path)

    @property
    def what(self) -> str:
        """The kind of request, to count by."""
        tail = self.path.rsplit("/", 1)[-1].lower() if self.is_action else ""
        listing = "[]" if self.method == "GET" and is_list(self.path) else ""
        return f"{self.method} {self.kind}{listing} {tail}".strip()

    @property
    def is_action(self) -> bool:
        return self.method == "POST" or self.path.lower().endswith("/instanceview")


OPERATION = re.compile(
    r"/locations/[^/]+/(operations|operationresults|diskoperations|capsoperations)/"
    r"|/subscriptions/[^/]+/operationresults/|/operationstatuses/",
    re.IGNORECASE,
)


def is_operation(path: str) -> bool:
    return OPERATION.search(path) is not None


def operation_key(path: str, query: dict[str, str]) -> str:
    """The same for the URL in a header and for the request that follows it.

    Some recordings have the subscription's id replaced in URLs, but not in headers.
    """
    place = path.lower().partition("/providers/")[2] or path.lower().rpartition("/")[2]
    return place + ("?monitor" if query.get("monitor", "").lower() == "true" else "")


def resource_type(path: str) -> str:
    """Without the names: /providers/A/b/name/c/other -> a/b/c."""
    lower = path.lower().strip("/")
    at = f"/{lower}".rfind("/providers/")
    if at < 0:
        inside = lower.split("/")
        return "microsoft.resources/" + inside[2 * ((len(inside) - 1) // 2)]
    parts = lower[at + len("providers/") :].split("/")
    return "/".join([parts[0], *parts[1::2]])


def is_list(path: str) -> bool:
    lower = path.lower().strip("/")
    at = f"/{lower}".rfind("/providers/")
    if at < 0:
        return len(lower.split("/")) % 2 == 1
    return len(lower[at + len("providers/") :].split("/")) % 2 == 0


def served(exchange: Exchange) -> bool:
    """Whether the emulator is meant to answer this; operations count with what began them."""
    if not exchange.path.lower().startswith("/subscriptions"):
        return False
    if exchange.kind in SERVED or "/" not in exchange.kind:  # without: a provider itself
        return True
    parents = exchange.kind.rsplit("/", 1)[0]
    registers = exchange.kind.count("/") == 1 and exchange.path.endswith("register")
    return exchange.is_action and (parents in SERVED or registers)


def _body(request: Any) -> Any:
    """A PUT or PATCH has one, so null says that it was not recorded."""
    if request["body"] is None and request["method"] in ("PUT", "PATCH"):
        return UNKNOWN
    return request["body"]


def _exchange(source: str, request: Any, response: Any) -> Exchange:
    parts = urlsplit(request["url"])
    return Exchange(
        source=source,
        method=request["method"],
        path=re.sub(r"/+", "/", parts.path).rstrip("/"),
        query={name.lower(): value for name, value in parse_qsl(parts.query)},
        body=_body(request),
        status=response["status"],
        headers={name.lower(): str(value) for name, value in response["headers"].items()},
        answer=response["body"],
    )


def load(path: Path) -> Iterator[list[Exchange]]:
    """All sessions below a folder, or in a file of lines."""
    if path.is_dir():
        for file in sorted(path.glob("*.json")):
            yield from load(file)
    elif path.suffix == ".json":
        yield [
            _exchange(f"{path.stem}#{number}", item["request"], item["response"])
            for number, item in enumerate(json.loads(path.read_text(encoding="utf-8")))
        ]
    else:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                session = json.loads(line)
                if not session["exchanges"]:
                    continue
                yield _in_order(
                    [
                        _exchange(
                            f"{session['source']}#{number}",
                            {key: item[key] for key in ("method", "url", "body")},
                            {
                                "status": item["status"],
                                "headers": item["headers"],
                                "body": item["rbody"],
                            },
                        )
                        for number, item in enumerate(session["exchanges"])
                    ]
                )


def _in_order(exchanges: list[Exchange]) -> list[Exchange]:
    """By the time of the answer: one recorder keeps requests together that are the same."""
    dates = [exchange.headers.get("date") for exchange in exchanges]
    if not all(dates):
        return exchanges
    return sorted(exchanges, key=lambda item: parsedate_to_datetime(item.headers["date"]))
