"""Supervises the engines of a set on one machine: forks them, and replaces those that die.

It takes the place of ipyparallel's nannies: it tells the hub at once when an engine ends (a hub
that isn't told waits for its heart monitor, 30 s by default). Linux; needs ipyparallel.

An engine that ends because it was asked to (TERM, a client's shutdown, the set's stop) stays away,
and so does one that was never registered: the start reports that. Any other is replaced, at once
the first time and then after growing pauses.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from .engine import EngineOrder, become_engine, preload
from .errands import Errands
from .events import Events
from .helpers import Helpers, fork
from .hub import LINGER_S
from .places import EXITED, REGISTERED, RESTARTING, STARTING, Place
from .processes import Json, identify, send_signal
from .work_dir import WorkDir, say, write_json

TERM_GRACE_S = 2.0  # what an engine gets between TERM and KILL
FAREWELL_S = LINGER_S + 0.5  # until the last that was told to others has to be out
LAST_MOMENT_S = 3.0  # before the machine is taken away, for the hub to hear of what still worked
HELPER_PAUSE_S = 5.0
WATCHED = (signal.SIGCHLD, signal.SIGTERM)


@dataclass
class Supervisor:
    """Single-threaded, and without a ZeroMQ context: only so can it fork at any time.

    `kill_at`: when engines that were asked to end are made to. `beat_at`: when to start the helper
    that tells the guard of us. `evicted`: an eventfd that all engines see.
    """

    work: WorkDir
    args: argparse.Namespace
    errands: Errands
    engines: list[Place]
    events: Events
    evicted: int = field(default_factory=lambda: os.eventfd(0))
    helpers: Helpers = field(default_factory=lambda: Helpers(WATCHED))
    listed: bool = False
    ending: bool = False
    eviction: str | None = None
    kill_at: float | None = None
    beat_at: float | None = None
    children_ended: bool = False

    def save(self) -> None:
        state = {"set": self.args.set, "supervisor": identify(os.getpid()), "listed": self.listed}
        state |= {"evicted": self.eviction is not None}
        state["engines"] = [engine.shown() for engine in self.engines]
        write_json(self.work.set_file(self.args.set), state)

    # --- the loop

    def run(self) -> None:
        """Until the last engine has ended."""
        for number in WATCHED:
            signal.signal(number, lambda number, _: self.events.report("signal", number))
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for engine in self.engines:
            self.start(engine)
        self.save()
        if self.errands.address:
            self.beat_at = time.monotonic()
        self.helpers.start("eviction", self.errands.watch_for_eviction)
        while any(engine.state != EXITED for engine in self.engines):
            self.handle(self.wait_s())
            if self.children_ended:
                self.children_ended = False
                self.reap()
            self.do_what_is_due()
            self.save()
        self.say_goodbye()

    def wait_s(self) -> float | None:
        moments = [engine.due_at for engine in self.engines if engine.state == RESTARTING]
        moments += [at for at in (self.kill_at, self.beat_at) if at is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def handle(self, timeout_s: float | None) -> None:
        """The events that are there, after waiting for one."""
        for kind, *details in self.events.read(timeout_s):
            getattr(self, f"on_{kind}")(*details)

    def do_what_is_due(self) -> None:
        now = time.monotonic()
        for engine in self.engines:
            if engine.state == RESTARTING and engine.due_at <= now:
                engine.restarts += 1
                say(f"engine {engine.index} is started again, for the {engine.restarts}. time")
                self.start(engine)
        if self.kill_at is not None and self.kill_at <= now:
            self.kill_at = None
            self.send(signal.SIGKILL)
        if self.beat_at is not None and self.beat_at <= now:
            self.beat_at = None
            self.helpers.start("beat", self.errands.beat)

    def say_goodbye(self) -> None:
        self.helpers.kill("beat", "eviction", "listing")
        if self.errands.address:
            self.helpers.start("bye", self.errands.bye, self.eviction is not None)
        if self.eviction is not None and self.kill_at is not None:  # nothing had to be killed
            self.helpers.start("approval", self.errands.approve, self.eviction)
        self.helpers.finish(FAREWELL_S)

    # --- engines

    def start(self, engine: Place) -> None:
        if engine.restarts == 0:
            Path(engine.log).unlink(missing_ok=True)  # of an earlier set of this name
        engine.id, engine.leaving, engine.state = None, False, STARTING
        engine.started_at = time.monotonic()
        tally = self.tally_of(engine)
        tally[0] = tally[1]  # nothing runs there now
        # the child leaves through SystemExit, so that its interpreter ends as an engine's does
        engine.pid = fork(lambda: become_engine(self.order_for(engine)), WATCHED)
        engine.create_time = identify(engine.pid)["create_time"]

    def order_for(self, engine: Place) -> EngineOrder:
        def report(state: str, engine_id: int) -> None:
            self.events.report("engine", engine.index, state, engine_id)

        return EngineOrder(
            index=engine.index,
            count=len(self.engines),
            log=engine.log,
            profile_dir=str(self.work.profile),
            engine_file=self.args.engine_file,
            timeout_s=self.args.timeout_s,
            args=self.args.extra,
            evicted=self.evicted,
            tally=self.tally_of(engine),
            report=report,
        )

    def tally_of(self, engine: Place) -> memoryview[int]:
        return self.errands.tally[2 * engine.index : 2 * engine.index + 2]

    def send(self, number: int) -> None:
        """To all engines. A dead one's zombie keeps its pid until it is reaped."""
        send_signal([engine.shown() for engine in self.engines], number)

    def reap(self) -> None:
        pids = {engine.pid: engine for engine in self.engines}
        ended: list[tuple[Place, int]] = []
        with contextlib.suppress(ChildProcessError):
            # the zombie keeps the pid, so its group can be killed safely: workers of an engine end
            # with it (what a task starts in a session of its own stays)
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                pid = found.si_pid
                name = self.helpers.ended(pid)
                if name is None:
                    with contextlib.suppress(OSError):
                        os.killpg(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                if name == "beat":
                    self.beat_at = time.monotonic() + HELPER_PAUSE_S
                elif pid in pids:
                    ended.append((pids[pid], os.waitstatus_to_exitcode(status)))
        if ended:
            self.handle(0)  # what they said before they ended, such as that they were leaving
            self.settle(ended)

    def settle(self, ended: list[tuple[Place, int]]) -> None:
        """Tell the hub, and decide which come back."""
        self.helpers.kill("listing")
        if ids := [engine.id for engine, _ in ended if engine.id is not None]:
            self.helpers.start("unregister", self.errands.unregister, ids)
        now = time.monotonic()
        for engine, exit_code in ended:
            engine.exit_code = exit_code
            asked_to = engine.leaving or exit_code == -signal.SIGTERM
            if self.ending or asked_to or not engine.was_registered:
                engine.state = EXITED
                say(f"engine {engine.index} ended with {exit_code}")
                continue
            engine.state, engine.due_at = RESTARTING, now + (pause_s := engine.pause_s(now))
            say(f"engine {engine.index} died with {exit_code}; a new one in {pause_s:g} s")

    def end_engines(self, within_s: float) -> None:
        """From now on none comes back; what is left then is killed."""
        self.ending = True
        self.kill_at = time.monotonic() + within_s
        for engine in self.engines:
            if engine.state == RESTARTING:
                engine.state = EXITED

    # --- events

    def on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self.children_ended = True
        else:
            self.end_engines(TERM_GRACE_S)
            self.send(signal.SIGTERM)

    def on_engine(self, index: int, state: str, engine_id: int) -> None:
        engine = self.engines[index]
        engine.id = engine_id
        if state == "leaving":
            engine.leaving = True
            return
        engine.state = state
        engine.was_registered |= state == REGISTERED
        if not self.listed and all(engine.state == REGISTERED for engine in self.engines):
            ids = {engine.id for engine in self.engines}
            self.helpers.start("listing", self.errands.confirm_listed, ids)

    def on_listed(self) -> None:
        self.listed = True

    def on_unknown(self, ids: list[int]) -> None:
        """The hub gave these up while they could not be heard; they would never get a task."""
        for engine in self.engines:
            if engine.state == REGISTERED and engine.id in ids:
                say(f"engine {engine.index}: the hub does not know it any more")
                send_signal([engine.shown()], signal.SIGKILL)

    def on_evicted(self, event_id: str, left_s: float) -> None:
        say(f"Azure takes this machine away in {left_s:.0f} s")
        self.eviction = event_id
        self.end_engines(max(0.0, left_s - LAST_MOMENT_S))
        os.eventfd_write(self.evicted, 1)


def supervise(args: argparse.Namespace) -> int:
    work, events = WorkDir(args.dir), Events()
    # read once: by the time an engine ends, another controller may have written the file anew
    hub: Json = json.loads(Path(args.engine_file).read_bytes())
    log = f"{work.log}/ipengine-{args.set}-"
    engines = [Place(index, f"{log}{index}.log") for index in range(args.count)]
    address = args.address if hub.get("guard") else ""
    tally = memoryview(mmap.mmap(-1, 16 * args.count)).cast("Q")
    errands = Errands(hub, address, work.set_file(args.set), tally, events.report)
    supervisor = Supervisor(work, args, errands, engines, events)
    supervisor.save()
    preload()
    supervisor.run()
    return 0


def main(argv: list[str]) -> int:
    """What vm_agent.py starts as a daemon."""
    parser = argparse.ArgumentParser()
    for name in ("dir", "set", "engine-file", "address"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--timeout-s", type=float, required=True)
    end = argv.index("--")
    return supervise(parser.parse_args(argv[:end], argparse.Namespace(extra=argv[end + 1 :])))
