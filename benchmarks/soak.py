"""Thousands of starts and stops with random faults and deaths: nothing may be left.

    python -m benchmarks.soak [--rounds 3000] [--seed 1] [--lanes 2] [--first 0]

Each round is drawn from the seed and its number alone: one that fails can be repeated by
`--first NUMBER --rounds 1`, as far as time itself can be repeated.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ipcluster_azure.emulator import client, testing
from ipcluster_azure.emulator.remote import ask

from .clusters import PROFILE, Home, home
from .forked_client import Client, Server, fork_server
from .report import Section, Table, figure, run_alone, say
from .soak_rounds import ELSEWHERE, ERASE, GENTLE, SIGNALS, TEAM, Round, drawn

QUICK = {"rounds": 24, "lanes": 2}
NO_CLUSTER = 11  # what `ipcluster stop` exits with
# of a stop without faults, and of a start that was told to end while requests fail
STOP_S, END_S, UP_S = 30.0, 120.0, 60.0
AGAIN_S = 6.0
GONE_S = 15.0
SETTLED = 0.2  # of the rounds: from then on nothing may grow
HOW = """
{rounds} rounds, seed {seed}, {lanes} at a time. {real} start real processes; the others run on
machines that exist in the control plane alone, and die in the first seconds of a start. {pairs} are
of two clusters in one profile, {shared} in a resource group with foreign resources. In {faulty}
some requests met declared faults: refused with 409, 429 or 503, not carried out, carried out but
not answered, a reply cut short or late, a new resource not found, an operation that fails. After a
round Azure is asked for what is left, the profile for its files, the computer for its processes.
"""


class Left(Exception):
    """Something was left, or did not end; says of which round, and what was said."""


@dataclass
class Lane:
    """A profile and an emulator, where one round runs after the other."""

    place: Home
    server: Server
    team: list[str] = field(default_factory=list)

    def run(self, *command: str) -> Client:
        return self.server.run([*command], self.place.environment, self.place.folder)

    def ipcluster(self, command: str, cluster_id: str, *words: str) -> Client:
        chosen = [f"--cluster-id={cluster_id}"] if cluster_id else []
        return self.run("ipcluster", command, f"--profile={PROFILE}", *chosen, *words)

    def prepare(self, a: Round) -> None:
        more = f"c.AzureVMLauncher.resource_group = {TEAM!r}\n" if a.shared else ""
        self.place.configure(1, more)

    def make_team(self) -> None:
        """A group with a resource of somebody else's."""
        group = f"/subscriptions/{self.place.emulator.subscription_id}/resourcegroups/{TEAM}"
        ask(self.place.emulator, "PUT", f"{group}?api-version=2021-04-01", {"location": "eastus"})
        nsg = f"{group}/providers/Microsoft.Network/networkSecurityGroups/office"
        ask(self.place.emulator, "PUT", f"{nsg}?api-version=2025-01-01", {"location": "eastus"})
        self.team = self.in_team()

    def in_team(self) -> list[str]:
        found = self.place.arm(f"/resourceGroups/{TEAM}/resources", "2021-04-01")["value"]
        return sorted(item["name"] for item in found)

    def left(self) -> list[str]:
        """What there should not be."""
        status = client.status(self.place.emulator.state_dir)
        groups = [name for name in status["resource_groups"] if name != TEAM]
        foreign = [name for name in self.in_team() if name not in self.team]
        lost = [f"{name} is gone" for name in self.team if name not in self.in_team()]
        return [*groups, *status["virtual_machines"], *foreign, *lost, *self.files(), *self.alive()]

    def files(self) -> list[str]:
        ours = (path.name for path in self.place.security.glob("*"))
        return [name for name in ours if name not in (".azure.lock", "azure_deleting")]

    def alive(self) -> list[str]:
        """Processes that name this profile: tunnels, farewells."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(str(self.place.profile_dir) in part for part in process.cmdline()):
                    found.append(f"process {process.pid}: {process.cmdline()}")
        return found

    def profile_files(self) -> int:
        return sum(1 for path in self.place.profile_dir.rglob("*") if path.is_file())


@dataclass
class Outcome:
    kind: str
    by: str
    end_s: float
    stop_s: float


def play(lane: Lane, a: Round) -> Outcome:
    """One round. Raises Left with all that was said if something is left, or hangs."""
    lane.prepare(a)
    said: list[Client] = []
    try:
        return _play(lane, a, said)
    except (TimeoutError, Left) as error:
        logs = "\n".join(f"--- {one.log}\n{one.output}" for one in said)
        raise Left(f"round {a.number}, {a}: {error}\n{logs}") from error


def _play(lane: Lane, a: Round, said: list[Client]) -> Outcome:
    with testing.faults(lane.place.emulator, *a.faults):
        names = ["", "other"] if a.pair else [""]
        starts = {name: lane.ipcluster("start", name, "-n=1") for name in reversed(names)}
        said += starts.values()
        _await_moment(starts[""], a)
        began = time.monotonic()
        if a.end == ELSEWHERE:
            said.append(lane.ipcluster("stop", ""))
            said[-1].wait(END_S)
        else:
            starts[""].signal(SIGNALS[a.end])
            starts[""].wait(END_S)
        end_s = time.monotonic() - began
    if a.end == ERASE:
        shutil.rmtree(lane.place.profile_dir)
        stop_s = 0.0
    else:
        stop_s = max(_stop(lane, name, start, said) for name, start in starts.items())
    if a.end == ERASE:
        by = "nobody: it had begun nothing"
    else:
        by = "itself" if a.end in GENTLE and not a.faults and not a.pair else "`ipcluster stop`"
    if not _nothing_left(lane, GONE_S if a.end != ERASE and not a.faults else 1.0):
        by = "`ipcluster-azure reap`"
        said.append(lane.run("ipcluster-azure", "reap", "--yes"))
        if said[-1].wait(UP_S) != 0 or not _nothing_left(lane, GONE_S):
            raise Left(f"left: {lane.left()}")
    return Outcome(a.end, by, end_s, stop_s)


def _stop(lane: Lane, name: str, start: Client, said: list[Client]) -> float:
    """Stop a cluster as a user does, again if its start had not got far enough; seconds of one."""
    deadline = time.monotonic() + END_S
    while True:
        began = time.monotonic()
        said.append(lane.ipcluster("stop", name))
        if said[-1].wait(STOP_S) not in (0, NO_CLUSTER):
            raise Left(f"a stop without faults ended with {said[-1].status()}")
        stopped = time.monotonic()
        while start.status() is None and time.monotonic() < stopped + AGAIN_S:
            time.sleep(0.02)
        if start.status() is not None:
            return stopped - began
        if time.monotonic() > deadline:
            raise Left("a start that was stopped did not end")


def _await_moment(starting: Client, a: Round) -> None:
    """Until the moment of death, or until the start has ended by itself."""
    up = "engines are registered" if a.real else "Azure has accepted 1 machines"
    if a.begun or not a.moment_s:
        _await_words(starting, up if not a.moment_s else "Submitting")
    deadline = time.monotonic() + a.moment_s
    while time.monotonic() < deadline and starting.status() is None:
        time.sleep(0.02)


def _await_words(starting: Client, words: str) -> None:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline and starting.status() is None:
        if words in starting.output:
            return
        time.sleep(0.02)


def _nothing_left(lane: Lane, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while lane.left():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@dataclass(frozen=True)
class Size:
    """What must not grow: of the emulators' processes, and in the profiles."""

    memory_mb: float
    descriptors: int
    files: int

    @classmethod
    def of(cls, lanes: list[Lane]) -> Size:
        processes = [psutil.Process(lane.place.emulator.pid) for lane in lanes]
        memory = sum(process.memory_info().rss for process in processes) / 2**20
        descriptors = sum(process.num_fds() for process in processes)
        return cls(memory, descriptors, sum(lane.profile_files() for lane in lanes))


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


def measure(rounds: int = 3000, seed: int = 1, lanes: int = 2, first: int = 0) -> Section:
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

    def work(self, lane: int) -> None:
        try:
            while (index := next(self._next)) < len(self._plan):
                a = self._plan[index]
                outcome = play((self._real if a.real else self._bare)[lane], a)
                self._note(outcome)
        except BaseException:
            self._next = itertools.count(len(self._plan))  # the others end too
            raise

    def _note(self, outcome: Outcome) -> None:
        with self._lock:
            self._outcomes.append(outcome)
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
        table = Table(("of all emulators and profiles", f"after {SETTLED:.0%}", "at the end"))
        before = self._settled or after
        table.add(
            "memory of the emulators, MB", f"{before.memory_mb:.0f}", f"{after.memory_mb:.0f}"
        )
        table.add("open files of the emulators", before.descriptors, after.descriptors)
        table.add("files in the profiles", before.files, after.files)
        return table


if __name__ == "__main__":
    run_alone(measure)
