"""An hour of load through the tunnels: what was sent, what came back, what was lost.

python -m benchmarks.endurance [--minutes 60] [--tasks-per-s 5] [--kilobytes 256]
"""

from __future__ import annotations

import operator
import os
import time
from collections import deque
from typing import Any

import ipyparallel as ipp

from .clusters import Home, home
from .report import Goal, Section, Table, run_alone, say

QUICK = {"minutes": 0.1}
ANSWER_TIMEOUT_S = 60.0
REVERSED = slice(None, None, -1)
HOW = """
A cluster with four engines on the emulator. A client sends {tasks_per_s} load-balanced tasks a
second, each with {kilobytes} KB of random bytes, which the engine sends back reversed; each result
is compared with what was sent. Everything goes through the tunnels of one link process, {megabytes}
MB a second in each direction. What has not come back after {timeout} s counts as lost. One run.
"""


def measure(minutes: float = 60.0, tasks_per_s: float = 5.0, kilobytes: int = 256) -> Section:
    with home() as place:
        place.configure(engines_per_vm=4)
        place.ipcluster("start", "-n=4", "--daemonize")
        try:
            table = load(place, minutes, tasks_per_s, kilobytes)
        finally:
            place.ipcluster("stop")
    megabytes = f"{tasks_per_s * kilobytes / 1000:.1f}"
    how = HOW.format(
        tasks_per_s=tasks_per_s,
        kilobytes=kilobytes,
        megabytes=megabytes,
        timeout=f"{ANSWER_TIMEOUT_S:.0f}",
    )
    return Section("endurance", "Load through the tunnels for long", how, [table])


def load(place: Home, minutes: float, tasks_per_s: float, kilobytes: int) -> Table:
    client = ipp.Client(str(place.security / "ipcontroller-client.json"))
    view = client.load_balanced_view()
    began, sent, right = time.monotonic(), 0, 0
    waiting: deque[tuple[bytes, Any]] = deque()
    while (now := time.monotonic()) < began + 60 * minutes:
        data = os.urandom(kilobytes * 1000)
        waiting.append((data, view.apply_async(operator.getitem, data, REVERSED)))
        sent += 1
        while waiting and waiting[0][1].ready():
            data, result = waiting.popleft()
            right += is_right(data, result)
            client.purge_local_results(result)
        if sent % round(60 * tasks_per_s) == 0:
            say(f"{sent} sent, {right} came back")
        time.sleep(max(0.0, began + sent / tasks_per_s - now))
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    for data, result in waiting:
        result.wait(max(0.0, deadline - time.monotonic()))
        right += result.ready() and is_right(data, result)
    lost = sent - right
    client.close()
    table = Table(("figure", "value"))
    table.add("minutes", f"{(time.monotonic() - began) / 60:.1f}")
    table.add("tasks sent", str(sent))
    table.add("lost or wrong", str(lost), goal=Goal("none", lost == 0))
    table.add("bytes in each direction", f"{sent * kilobytes / 1e6:.2f} GB")
    table.add("connections that the link had to open again", str(reopened(place)))
    return table


def is_right(data: bytes, result: Any) -> bool:
    return bool(result.get() == data[REVERSED])


def reopened(place: Home) -> int:
    logs = place.profile_dir.glob("log/*link*")
    return sum(log.read_text(encoding="utf-8").count("is lost; opening") for log in logs)


if __name__ == "__main__":
    run_alone(measure)
