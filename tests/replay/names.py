"""Names that Azure chose in a recording, and those that the emulator chose in their place."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from .sessions import Exchange

Json = dict[str, Any]

INSTANCE = re.compile(
    r"(?P<set>/virtualMachineScaleSets/[^/]+)/virtualMachines/(?P<id>\d+)", re.IGNORECASE
)
NO_INSTANCE = "999999"  # of what a recording asked for in vain
ACTION = re.compile(r"(?P<set>/virtualMachineScaleSets/[^/]+)/\w+$", re.IGNORECASE)


class Names:
    def __init__(self, exchanges: list[Exchange]) -> None:
        self._chosen: dict[str, str] = {}
        self._instances = _instances(exchanges)

    def learn(self, recorded: Any, shown: Any) -> None:
        """The names of disks in two answers that should be alike."""
        for ours, theirs in zip(_disks(shown), _disks(recorded), strict=False):
            if ours and theirs and ours != theirs:
                self._chosen[theirs] = ours

    def mapped(self, text: str) -> str:
        for theirs, ours in self._chosen.items():
            text = text.replace(theirs, ours)
        return INSTANCE.sub(self._instance, text)

    def _instance(self, match: re.Match[str]) -> str:
        known = self._instances.get(match["set"].lower(), {})
        return f"{match['set']}/virtualMachines/{known.get(match['id'], NO_INSTANCE)}"

    def mapped_ids(self, path: str, body: Any) -> Any:
        """The instanceIds of an action on a scale set; all if they were not recorded."""
        match = ACTION.search(path)
        if match is None or not isinstance(body, dict) or "instanceIds" not in body:
            return body
        known = self._instances.get(match["set"].lower(), {})
        return {**body, "instanceIds": [known.get(name, name) for name in body["instanceIds"]]}


def _instances(exchanges: list[Exchange]) -> dict[str, dict[str, str]]:
    """Scale set -> recorded number -> ours: Azure leaves numbers out, the emulator does not."""
    found: dict[str, set[int]] = defaultdict(set)
    for exchange in exchanges:
        if exchange.status < 400:
            for match in INSTANCE.finditer(f"{exchange.path} {_machines(exchange)}"):
                found[match["set"].lower()].add(int(match["id"]))
        action = ACTION.search(exchange.path)
        if action and isinstance(exchange.body, dict):
            ids = exchange.body.get("instanceIds") or []
            found[action["set"].lower()] |= {int(name) for name in ids if str(name).isdigit()}
    return {
        scale_set: {str(number): str(place) for place, number in enumerate(sorted(numbers))}
        for scale_set, numbers in found.items()
    }


def _machines(exchange: Exchange) -> Any:
    """Other answers name machines, too, that Azure made in excess and has deleted since."""
    return exchange.answer if exchange.kind.endswith("/virtualmachines") else ""


def _disks(answer: Any) -> list[str]:
    properties = answer.get("properties") if isinstance(answer, dict) else None
    storage = properties.get("storageProfile") if isinstance(properties, dict) else None
    if not isinstance(storage, dict) or "osDisk" not in storage:
        return []
    return [disk.get("name", "") for disk in (storage["osDisk"], *storage.get("dataDisks", []))]
