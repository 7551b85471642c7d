"""Scheduled Events: what is going to happen to a VM, told to it through its metadata service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from ..base.clock import Clock
from ..base.messages import Json
from ..base.store import Resource

VERSIONS = ("2017-08-01", "2017-11-01", "2019-01-01", "2019-04-01", "2019-08-01", "2020-07-01")
DESCRIBED_SINCE, SOURCED_SINCE = "2019-04-01", "2020-07-01"
NOT_KNOWN_S = -1
TERMINATE_DEFAULT_S = 300.0
Passing = Callable[[float], Coroutine[Any, Any, None]]
MINUTES = re.compile(r"PT(\d+)M")
# Told to the machine itself alone; all others to every machine of its scale set.
PRIVATE = ("Preempt", "Terminate")
DESCRIPTIONS = {
    "Preempt": "Spot virtual machine is being evicted",
    "Terminate": "Virtual machine is being deleted due to user action",
}


@dataclass
class Event:
    """One event; not_before: its latest begin; approved: a machine has let it begin earlier."""

    id: str
    kind: str
    vm: Resource
    not_before: datetime
    source: str
    started: bool = False
    approved: asyncio.Event = field(default_factory=asyncio.Event)

    def is_for(self, vm: Resource) -> bool:
        if vm is self.vm:
            return True
        return self.kind not in PRIVATE and _set_of(vm) == _set_of(self.vm) != ""

    def body(self, version: str) -> Json:
        body: Json = {
            "EventId": self.id,
            "EventStatus": "Started" if self.started else "Scheduled",
            "EventType": self.kind,
            "ResourceType": "VirtualMachine",
            "Resources": [self.vm.name],
            "NotBefore": "" if self.started else format_datetime(self.not_before, usegmt=True),
        }
        if version >= DESCRIBED_SINCE:
            body["Description"] = DESCRIPTIONS.get(self.kind, "")
        if version >= SOURCED_SINCE:
            body |= {"EventSource": self.source, "DurationInSeconds": NOT_KNOWN_S}
        return body


def _set_of(vm: Resource) -> str:
    reference = vm.properties.get("virtualMachineScaleSet") or {}
    return str(reference.get("id", "")).lower()


class ScheduledEvents:
    """All events of one emulator."""

    def __init__(self, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._events: list[Event] = []
        self._incarnations: dict[str, int] = {}

    async def announce(
        self, vm: Resource, kind: str, notice_s: float, source: str, passing: Passing
    ) -> Event:
        """Announce an event, and return when it begins: after the notice, or once it is approved.

        passing: the way of the clock's in which the notice passes.
        """
        not_before = self._clock.now() + timedelta(seconds=notice_s)
        event = Event(self._new_id().upper(), kind, vm, not_before, source)
        self._events.append(event)
        self._changed(event)
        waits = [
            asyncio.ensure_future(passing(notice_s)),
            asyncio.ensure_future(event.approved.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        event.started = True
        self._changed(event)
        return event

    def over(self, event: Event) -> None:
        """Take note that the event has happened; machines that are left see it no more."""
        self._events.remove(event)
        self._changed(event)

    def _changed(self, event: Event) -> None:
        for key in self._incarnations.keys() | {event.vm.key}:
            self._incarnations[key] = self._incarnations.get(key, 1) + 1

    def document(self, vm: Resource, version: str) -> Json:
        events = [event.body(version) for event in self._events if event.is_for(vm)]
        return {"DocumentIncarnation": self._incarnations.setdefault(vm.key, 1), "Events": events}

    def approve(self, vm: Resource, identifiers: Iterable[str]) -> bool:
        """Let a machine's StartRequests begin; return False for an event that it does not know."""
        known = {event.id.lower(): event for event in self._events if event.is_for(vm)}
        found = [known.get(identifier.lower()) for identifier in identifiers]
        for event in found:
            if event:
                event.approved.set()
        return all(event is not None for event in found)

    async def before_deletion(self, vms: Sequence[Resource]) -> list[Event]:
        """Wait as the machines' terminateNotificationProfile wishes.

        Returns the events that began, which are then to be over().
        """
        notices = [(vm, given) for vm in vms if (given := _terminate_notice_s(vm)) is not None]
        return list(
            await asyncio.gather(
                *(
                    self.announce(vm, "Terminate", notice_s, "User", self._clock.sleep)
                    for vm, notice_s in notices
                )
            )
        )


def _terminate_notice_s(vm: Resource) -> float | None:
    profiles = vm.properties.get("scheduledEventsProfile")
    profile = profiles.get("terminateNotificationProfile") if isinstance(profiles, dict) else None
    if not isinstance(profile, dict) or profile.get("enable") is not True:
        return None
    match = MINUTES.fullmatch(str(profile.get("notBeforeTimeout", "")))
    return int(match[1]) * 60.0 if match else TERMINATE_DEFAULT_S
