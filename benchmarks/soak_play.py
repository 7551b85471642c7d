"""One round of the soak, played: a start, a death, a stop; and what must not be left."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass, field

import psutil

from azure_emulator import client, testing
from azure_emulator.http_client import ask
from tests.forked_client import Client, Server

from .clusters import PROFILE, Home
from .soak_rounds import ELSEWHERE, ERASE, GENTLE, SIGNALS, TEAM, Round

NO_CLUSTER = 11  # what `ipcluster stop` exits with
# of a stop without faults, and of a start that was told to end while requests fail
STOP_S, END_S, UP_S = 30.0, 120.0, 60.0
AGAIN_S = 6.0
GONE_S = 15.0


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
        """Processes that name this profile: tunnels, last visits."""
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
    up = "engines are registered" if a.real else "Azure has accepted 1 machine"
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
