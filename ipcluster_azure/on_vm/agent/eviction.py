"""Sees that Azure takes a Spot machine back, on the machine itself. Linux, standard library.

Scheduled Events of the instance metadata service announce it, at least 30 s before.
https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events
"""

from __future__ import annotations

import sys
import time

from .instance_metadata import ANSWER_S, INSTANCE, Answer, Json, metadata, seconds_of

LOOK_S = 1.0
FIRST_LOOK_S = 5.0  # until then the engines start, and need the processor
FIRST_ANSWER_S = 150.0  # switches the service on for the machine, which takes up to two minutes
TRIES = 5
EVENTS = "scheduledevents?api-version=2020-07-01"


def is_spot() -> bool:
    """Return whether this is a Spot machine; False where there is no metadata service, as on a
    machine that isn't Azure's."""
    for _ in range(TRIES):
        try:
            return metadata(INSTANCE).content.get("priority") == "Spot"
        except (OSError, ValueError):
            time.sleep(LOOK_S)
    return False


def wait_for_eviction() -> tuple[str, float] | None:
    """Wait until Azure says that it takes this machine.

    Returns the event's id and the seconds that are left, or None on a machine that is not Spot.
    """
    time.sleep(FIRST_LOOK_S)
    if not is_spot():
        return None
    timeout_s = FIRST_ANSWER_S
    while True:
        try:
            answer = metadata(EVENTS, timeout_s=timeout_s)
        except (OSError, ValueError) as error:
            print(f"scheduled events: {error}", file=sys.stderr, flush=True)
            answer = Answer({}, None)
        timeout_s = ANSWER_S
        for event in answer.content.get("Events", []):
            if event.get("EventType") == "Preempt":
                return str(event["EventId"]), seconds_left(event, answer.date_s)
        time.sleep(LOOK_S)


def seconds_left(event: Json, date_s: float | None) -> float:
    """Return the seconds from an answer's Date until an event begins; 0 if it has begun: NotBefore
    is empty then. Without a Date, this machine's clock counts."""
    not_before_s = seconds_of(event.get("NotBefore"))
    if not_before_s is None:
        return 0.0
    return max(0.0, not_before_s - (time.time() if date_s is None else date_s))


def approve(event_id: str) -> None:
    """Tell Azure that nothing is left to do here, so that it need not wait."""
    metadata(EVENTS, {"StartRequests": [{"EventId": event_id}]})
