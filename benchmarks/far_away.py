"""Starting a cluster in a cloud that is far away, against one next door.

    python -m benchmarks.far_away [--engines 32] [--rounds 5]

`ipcluster start` for that many engines on machines of one engine each, plainly and through relay.py
with a round trip of 150 ms, 1 % loss and 20 Mbit/s; the sides take turns.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from .clusters import Home, home
from .relay import Line, Relay, far_away
from .report import Section, Table, figure, in_turns, run_alone

QUICK = {"engines": 2, "rounds": 1}
LINE = Line(round_trip_s=0.150, loss=0.01, mbit_s=20.0)
HOW = """
`ipcluster start --daemonize` and `ipcluster stop` as a user runs them, with {engines} machines of
one engine each, on an emulator whose operations take no time. "Far" is the same through a relay on
this computer that delays and loses what passes: round trip {trip_ms:.0f} ms, loss {loss:.0%},
{speed:.0f} Mbit/s, as seen by connections to Azure and by SSH.
"""


@dataclass(frozen=True)
class Run:
    start_s: float
    stop_s: float
    relay: Relay | None = None


def measure(engines: int = 32, rounds: int = 5) -> Section:
    with home() as place:
        place.configure(engines_per_vm=1)
        start_and_stop(place, engines, {})  # once for caches
        sides = {
            "near": lambda _: start_and_stop(place, engines, {}),
            "far": lambda _: through_relay(place, engines),
        }
        found = in_turns(sides, rounds)
    table = Table(("what", "near", "far", "difference", "ratio"))
    for what in ("start", "stop"):
        near, far = (
            figure(getattr(run, f"{what}_s") for run in found[side]) for side in ("near", "far")
        )
        cells = (near, far, f"{far.median - near.median:+.1f} s", f"{far.median / near.median:.2f}")
        table.add(f"`ipcluster {what}`", *cells)
    traffic = Table(("over the line", "median"))
    relays = [run.relay for run in found["far"] if run.relay is not None]
    for what, name in (("bytes_up", "kB sent"), ("bytes_down", "kB received")):
        traffic.add(name, figure((getattr(relay, what) / 1000 for relay in relays), "", 0))
    traffic.add("connections", figure((relay.connections for relay in relays), "", 0))
    speed, trip_ms = LINE.mbit_s, LINE.round_trip_s * 1000
    how = HOW.format(engines=engines, trip_ms=trip_ms, loss=LINE.loss, speed=speed)
    return Section("far_away", "A cloud that is far away", how, [table, traffic])


def through_relay(place: Home, engines: int) -> Run:
    with far_away(LINE) as (relay, environment):
        return start_and_stop(place, engines, environment, relay)


def start_and_stop(
    place: Home, engines: int, environment: Mapping[str, str], relay: Relay | None = None
) -> Run:
    """Seconds until `ipcluster start --daemonize` returned, and until `ipcluster stop` did."""
    times = []
    for words in (["start", f"-n={engines}", "--daemonize"], ["stop"]):
        began = time.perf_counter()
        place.ipcluster(*words, **environment)
        times.append(time.perf_counter() - began)
    return Run(times[0], times[1], relay)


if __name__ == "__main__":
    run_alone(measure)
