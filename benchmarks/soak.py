"""Thousands of starts and stops with random faults and deaths: nothing may be left.

    python -m benchmarks.soak [--rounds 3000] [--seed 1] [--lanes 4] [--first 0]

Each round is drawn from the seed and its number alone: one that fails can be repeated by
`--first NUMBER --rounds 1`, as far as time itself can be repeated.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.forked_client import Server, fork_server

from .clusters import home
from .report import Section, Table, figure, run_alone, say
from .soak_play import Lane, Outcome, play
from .soak_rounds import Round, drawn

QUICK = {"rounds": 24, "lanes": 2}
SETTLED = 0.2  # of the rounds: from then on nothing may grow
HOW = """
{rounds} rounds, seed {seed}, {lanes} at a time. {real} start real processes; the others run on
machines that exist in the control plane alone, and die in the first seconds of a start. {pairs} are
of two clusters in one profile, {shared} in a resource group with foreign resources. In {faulty}
some requests met declared faults: refused with 409, 429 or 503, not carried out, carried out but
not answered, a reply cut short or late, a new resource not found, an operation that fails. After a
round Azure is asked for what is left, the profile for its files, the computer for its processes.
Memory may grow by the operations that each of the {emulators} emulators remembers, as
[above](#the-emulator-by-itself). Files are the job files, and the logs of a profile's last
clusters, which the next ones replace.
"""


@dataclass(frozen=True)
class Size:
    """What must not grow, of the emulators' processes."""

    memory_mb: float
    descriptors: int

    @classmethod
    def of(cls, lanes: list[Lane]) -> Size:
        processes = [psutil.Process(lane.place.emulator.pid) for lane in lanes]
        memory = sum(process.memory_info().rss for process in processes) / 2**20
        descriptors = sum(process.num_fds() for process in processes)
        return cls(memory, descriptors)


@contextlib.contextmanager
def opened(machines: str, count: int, server: Server, seed: int) -> Iterator[list[Lane]]:
    with contextlib.ExitStack() as stack:
        lanes = []
        for number in range(count):
            place = stack.enter_context(home(machines=machines, seed=seed + number))
            place.configure(1)
            lanes.append(Lane(place, server))
            lanes[-1].make_team()
        yield lanes


def measure(rounds: int = 3000, seed: int = 1, lanes: int = 4, first: int = 0) -> Section:
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    plan = [drawn(seed, number) for number in range(first, first + rounds)]
    try:
        with (
            fork_server(folder) as server,
            opened("none", lanes, server, seed) as bare,
            opened("process", lanes, server, seed) as real,
        ):
            run = _Run(plan, bare, real)
            with ThreadPoolExecutor(lanes) as pool:
                for work in [pool.submit(run.work, number) for number in range(lanes)]:
                    work.result()
            after = Size.of([*bare, *real])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    how = HOW.format(
        rounds=rounds,
        seed=seed,
        lanes=lanes,
        emulators=2 * lanes,
        pairs=sum(a.pair for a in plan),
        real=sum(a.real for a in plan),
        faulty=sum(bool(a.faults) for a in plan),
        shared=sum(a.shared for a in plan),
    )
    return Section("soak", "Soak", how, [run.ends(), run.growth(after)])


class _Run:
    """The lanes take one round after the other from the same list."""

    def __init__(self, plan: list[Round], bare: list[Lane], real: list[Lane]) -> None:
        self._plan, self._bare, self._real = plan, bare, real
        self._next = itertools.count()
        self._settled: Size | None = None
        self._lock = threading.Lock()
        self._outcomes: list[Outcome] = []
        self._files: list[int] = []  # in the round's profile, after it

    def work(self, lane: int) -> None:
        try:
            while (index := next(self._next)) < len(self._plan):
                a = self._plan[index]
                home = (self._real if a.real else self._bare)[lane]
                self._note(play(home, a), home.profile_files())
        except BaseException:
            self._next = itertools.count(len(self._plan))  # the others end too
            raise

    def _note(self, outcome: Outcome, files: int) -> None:
        with self._lock:
            self._outcomes.append(outcome)
            self._files.append(files)
            done = len(self._outcomes)
            if done >= SETTLED * len(self._plan) and self._settled is None:
                self._settled = Size.of([*self._bare, *self._real])
            if done % 20 == 0:
                say(f"{done} of {len(self._plan)} rounds")

    def ends(self) -> Table:
        table = Table(
            ("death", "rounds", "until it ended", "stop afterwards", "deleted by", "left")
        )
        by_kind: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self._outcomes:
            by_kind[outcome.kind].append(outcome)
        for kind, found in sorted(by_kind.items()):
            counts = Counter(one.by for one in found).most_common()
            table.add(
                kind,
                len(found),
                figure(one.end_s for one in found),
                figure(one.stop_s for one in found),
                ", ".join(f"{by} {count}" for by, count in counts),
                0,
            )
        return table

    def growth(self, after: Size) -> Table:
        table = Table(("what must not grow", f"after {SETTLED:.0%} of the rounds", "at the end"))
        before, some = self._settled or after, max(1, round(SETTLED * len(self._files)))
        table.add(
            "memory of the emulators, MB", f"{before.memory_mb:.0f}", f"{after.memory_mb:.0f}"
        )
        table.add("open files of the emulators", before.descriptors, after.descriptors)
        first, last = max(self._files[:some]), max(self._files[-some:])
        table.add(f"files in a profile after a round, most of {some} rounds", first, last)
        return table


if __name__ == "__main__":
    run_alone(measure)
