"""Series of deaths: a client that ends, in some way, at each HTTP exchange in turn.

A proxy counts the exchanges. The k-th is the moment of death, for k = 1, 2, 3... up to the first
that isn't reached any more: so no step is left out, however the code changes.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from tests.forked_client import Client, Server

from ..complete import COMPLETE
from .conftest import Profile, wait_for
from .kill_proxy import AFTER, BEFORE, MOMENTS, KillProxy

STOP_S = 30.0  # accepted within 15 s; then up to 5 s to see the group gone, and Python's own end
START_S = 60.0
NO_CLUSTER = 11  # what `ipcluster stop` exits with
LEAST_EXCHANGES = 4  # of a stop; else a series has ended too early
# asked of what takes a while: in a quick start perhaps not at all
POLLED = "GET Microsoft.Compute/locations/operations"


@dataclass
class Stage:
    """A profile whose Azure is behind the proxy, and clients that can be killed."""

    emulator: EmulatorInfo
    profile: Profile
    proxy: KillProxy
    server: Server

    def run(self, *command: str, traceback_because: str = "") -> Client:
        environment = {
            "IPYTHONDIR": str(self.profile.ipython_dir),
            "XDG_DATA_HOME": str(self.profile.data_dir),
            client.STATE_DIR_VARIABLE: self.proxy.info.state_dir,
        }
        running = self.server.run(list(command), environment, self.profile.ipython_dir)
        said = partial(getattr, running, "output")
        self.profile.outputs.keep(said, traceback_because=traceback_because)
        return running

    def ipcluster(self, command: str, *args: str) -> Client:
        return self.run("ipcluster", command, "--profile=azure", *args)

    def step(self, command: str, *args: str) -> Client:
        return self.run("ipcluster-azure", command, "--profile=azure", *args)

    def start(self, *args: str) -> Client:
        return self.ipcluster("start", "-n=1", *args)

    def stop(self) -> None:
        """As a user does after a death; there may be nothing that ipcluster knows to stop."""
        self.proxy.watch()
        stopping = self.ipcluster("stop")
        assert stopping.wait(STOP_S) in (0, NO_CLUSTER), stopping.output

    def kinds_of_start(self) -> list[str]:
        return self._kinds(lambda: self.start("--daemonize"))

    def writes_of_start(self) -> list[str]:
        kinds = [kind for kind in self.kinds_of_start() if kind.startswith("PUT")]
        self.stop()
        return kinds

    def half_started(self) -> None:
        """Leave all that a cluster has at Azure; if COMPLETE, with its machines' processes."""
        if COMPLETE:
            self.proxy.watch()
            assert self.start("--daemonize").wait(START_S) == 0
        else:
            last = Death(1, BEFORE, "GET Microsoft.Network/networkInterfaces")
            die_in(self, last, self.start, Client.kill, closes=True)

    def kinds_of_stop(self) -> list[str]:
        self.half_started()
        return self._kinds(lambda: self.ipcluster("stop"))

    def _kinds(self, command: Callable[[], Client]) -> list[str]:
        self.proxy.watch()
        running = command()
        assert running.wait(START_S) == 0, running.output
        return list(self.proxy.kinds)


@dataclass(frozen=True)
class Death:
    """One point of one series: at the number-th exchange, of that kind if there is one."""

    number: int
    moment: str
    kind: str = ""


def deaths(kinds: list[str], moments: tuple[str, ...] = ()) -> Iterator[Death]:
    """Once at each kind of exchange; if COMPLETE, at every exchange, without end.

    Without `moments` after a write, of which only Azure knows then, and before anything else.
    """
    if COMPLETE:
        for number in itertools.count(1):
            yield from (Death(number, moment) for moment in MOMENTS)
    for kind in dict.fromkeys(kinds):
        usual = BEFORE if kind.startswith("GET") else AFTER
        yield from (Death(1, moment, kind) for moment in moments or (usual,))


def die_each(
    stage: Stage, series: Iterator[Death], die: Callable[[Death], bool], *, clean: bool = True
) -> None:
    """Die each death, up to the first that isn't reached; after each nothing may be left.

    `die` says whether it was reached; `clean`: nothing else was there either.
    """
    for count, death in enumerate(series):
        since = time.monotonic()
        try:
            reached = die(death)
            if clean:
                stage.profile.assert_nothing_left()
        except BaseException:
            print(f"{death}; exchanges: {stage.proxy.kinds}")
            raise
        print(f"{death}: {time.monotonic() - since:.1f} s")
        if not reached and COMPLETE:
            assert count >= 2 * LEAST_EXCHANGES
            break
        assert reached or death.kind == POLLED, f"{death} is not reached"


def fault_at(death: Death) -> dict[str, object]:
    """Which request the emulator's fault meets."""
    if not death.kind:
        return {"skip": death.number - 1}
    method, _, kind = death.kind.partition(" ")
    if kind == "resourceGroups":
        kind = "Microsoft.Resources/subscriptions/resourceGroups"
    return {"method": method, "type": kind}


def die_in(
    stage: Stage,
    death: Death,
    command: Callable[[], Client],
    act: Callable[[Client], None],
    *,
    closes: bool = False,
) -> tuple[Client, bool]:
    """Run a client up to its death, or until it is through; and whether it died."""
    doomed: list[Client] = []
    started, struck = threading.Event(), threading.Event()

    def strike() -> None:
        started.wait(START_S)
        struck.set()
        act(doomed[0])

    stage.proxy.act_at(death.number, death.moment, strike, kind=death.kind, closes=closes)
    doomed.append(command())
    started.set()
    wait_for(lambda: stage.proxy.acted or through(doomed[0]), START_S)
    if struck.is_set():  # a client can be dead before the proxy knows that it has killed it
        wait_for(lambda: stage.proxy.acted, START_S)
    return doomed[0], stage.proxy.acted


def through(running: Client) -> bool:
    return running.status() is not None or "engines are registered" in running.output
