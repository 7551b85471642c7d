"""Why a cluster ends by itself: what the guard on the controller's machine tells, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..formatting import money
from ..record.file import RecordFile

Event = dict[str, Any]


@dataclass(frozen=True)
class End:
    """Why the cluster ends: for its clients, and for the log. `machines_stay`: only what runs on
    its machines ends (Record.stays)."""

    why: str
    log_tail: str = ""
    machines_stay: bool = False


def as_news(event: Event) -> Iterator[Event]:
    """Yield the event itself; for a "state", the guard's first, the events that led to it."""
    if event["event"] != "state":
        yield event
        return
    if not event["controller"]["alive"]:
        yield {"event": "controller_exited", "log_tail": event["controller"].get("log_tail", "")}
    if event["idle"]:
        yield {"event": "idle"}
    if event["expired"]:
        yield {"event": "expired"}
    silent = [address for address, machine in event["machines"].items() if machine["silent"]]
    if silent:
        yield {"event": "silent", "machines": silent}
    if event["evicted"]:
        yield {"event": "evicted", "machines": event["evicted"]}


def end_of(event: Event, file: RecordFile) -> End | None:
    """Return why this event ends the cluster, or None if it does not."""
    record = file.require()
    limits, cost = record.limits, record.cost
    if event["event"] == "controller_exited":
        if record.stays:
            return ended(file, str(event.get("log_tail", "")))
        return died("ended", file, str(event.get("log_tail", "")))
    if event["event"] == "idle":
        minutes = f"{limits.idle_timeout_min:g} min"
        return End(f"Deleted after {minutes} without a task (idle_timeout_min).")
    if event["event"] == "expired":
        hours = f"{limits.max_lifetime_h:g} h"
        if cost.max_cost and limits.max_lifetime_h != cost.longest_h:
            return End(f"Deleted after {hours}, as it has cost {money(cost.max_cost)} (max_cost).")
        return End(f"Deleted after {hours}, its longest life (max_lifetime_h).")
    return None


def ended(file: RecordFile, log_tail: str) -> End:
    """Return the end of what runs on machines that stay: their controller has died, seen now."""
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    name = file.require().plan.names.base
    return End(
        f"The controller of cluster {name} ended (seen {now}). The machines are kept, and nothing "
        f"runs on them: {file.command('ipcluster-azure deploy')} starts it again. Its log: "
        f"{file.log_path('', 'controller')}",
        log_tail,
        machines_stay=True,
    )


def died(how: str, file: RecordFile, log_tail: str = "") -> End:
    """Return the end by the controller's death, seen now; `how` it died completes a sentence."""
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    name = file.require().plan.names.base
    return End(
        f"The controller of cluster {name} {how} (seen {now}). The cluster is being deleted, as it "
        f"is of no use any more; start it again. Its log: {file.log_path('', 'controller')}",
        log_tail,
    )
