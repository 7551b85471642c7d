"""Supervises the engines of a set on one machine: forks them, and replaces those that die.

It takes the place of ipyparallel's nannies: it tells the hub at once when an engine ends (a hub
that isn't told waits for its heart monitor, 30 s by default). Linux; needs ipyparallel.

An engine that ends because it was asked to (TERM, a client's shutdown, the set's stop) stays away,
and so does one that was never registered: the start reports that. Any other is replaced, at once
the first time and then after growing pauses. Those that are to begin anew are ended by it, too
(restarts.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field

from .errands import Errands
from .events import Events
from .forked_engines import ForkedEngines
from .helpers import Helpers
from .hub import LINGER_S
from .places import EXITED, REGISTERED, RESTARTING, Place
from .processes import identify, send_signal
from .restarts import Restarts, become_another
from .work_dir import WorkDir, say, write_json

TERM_GRACE_S = 2.0  # what an engine gets between TERM and KILL
HELPERS_END_S = LINGER_S + 0.5  # until the last that was told to others has to be out
LAST_MOMENT_S = 3.0  # before the machine is taken away, for the hub to hear of what still worked
HELPER_PAUSE_S = 5.0
WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Supervisor:
    """Single-threaded, and without a ZeroMQ context: only so can it fork at any time.

    `kill_at`: when engines that were asked to end are made to, by time.monotonic(). `beat_at`: when
    to start the helper that tells the guard of this machine. `eviction`: the id of Azure's event.
    `orphans`: ids of engines whose supervisor was killed, and that have been ended.
    """

    work: WorkDir
    set_id: str
    errands: Errands
    forked: ForkedEngines
    events: Events
    restarts: Restarts
    orphans: list[int] = field(default_factory=list)
    helpers: Helpers = field(default_factory=lambda: Helpers(WATCHED))
    listed: bool = False
    ending: bool = False
    eviction: str | None = None
    kill_at: float | None = None
    beat_at: float | None = None
    children_ended: bool = False

    @property
    def engines(self) -> list[Place]:
        return self.forked.places

    def save(self) -> None:
        """Write the set's state file; its members are described in commands.py."""
        state = {"set": self.set_id, "supervisor": identify(os.getpid()), "listed": self.listed}
        state |= {"evicted": self.eviction is not None, "restart": self.restarts.shown}
        state["engines"] = [engine.shown() for engine in self.engines]
        write_json(self.work.set_file(self.set_id), state)

    # --- the loop

    def run(self) -> None:
        """Start the engines, and look after them until the last has ended for good."""
        for number in WATCHED:
            signal.signal(number, lambda number, _: self.events.report("signal", number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        self.restart()  # as was asked for meanwhile
        if self.orphans:
            say(f"an earlier supervisor was killed, its engines {self.orphans} have been ended")
            self.helpers.start("unregister", self.errands.unregister, self.orphans)
        for engine in self.engines:
            if engine.state != EXITED:
                self.forked.start(engine)
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
        if self.restarts.of_supervisor:
            self.begin_anew()
        self.say_goodbye()

    def wait_s(self) -> float | None:
        """Seconds until something is due; None if nothing is."""
        moments = [engine.due_at for engine in self.engines if engine.state == RESTARTING]
        moments += [at for at in (self.kill_at, self.beat_at) if at is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def handle(self, timeout_s: float | None) -> None:
        """Act on the events that are there, after waiting for one up to `timeout_s`."""
        for kind, *details in self.events.read(timeout_s):
            getattr(self, f"on_{kind}")(*details)

    def do_what_is_due(self) -> None:
        """Start engines again, kill those that had their time to end, have the guard told."""
        now = time.monotonic()
        for engine in self.engines:
            if engine.state == RESTARTING and engine.due_at <= now:
                engine.restarts += 1
                say(f"engine {engine.index} is started again (restart {engine.restarts})")
                self.forked.start(engine)
        if self.kill_at is not None and self.kill_at <= now:
            self.kill_at = None
            self.forked.signal_all(signal.SIGKILL)
        if self.beat_at is not None and self.beat_at <= now:
            self.beat_at = None
            self.helpers.start("beat", self.errands.beat)

    def say_goodbye(self) -> None:
        """Tell the guard, and Azure if it takes the machine, that no engine is left here."""
        self.helpers.kill("beat", "eviction", "listing")
        if self.errands.address:
            self.helpers.start("bye", self.errands.bye, self.eviction is not None)
        if self.eviction is not None and self.kill_at is not None:  # nothing had to be killed
            self.helpers.start("approval", self.errands.approve, self.eviction)
        self.helpers.finish(HELPERS_END_S)

    def begin_anew(self) -> None:
        """Become a supervisor that loads what is installed now; returns if this one is to end."""
        self.helpers.kill("beat", "eviction", "listing")
        self.helpers.finish(HELPERS_END_S)
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # the other will hear them
        self.handle(0)
        if not self.ending:
            become_another()

    # --- engines

    def restart(self) -> None:
        """End the engines that are to begin anew, if there are such, and see to others later."""
        if self.ending:
            return
        self.restarts.take(self.engines)
        if self.restarts.of_supervisor:
            for engine in self.engines:
                if engine.state == RESTARTING or engine.pid is None:
                    engine.state = EXITED

    def reap(self) -> None:
        """Collect the children that have ended, and act on the engines among them."""
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
        """Tell the hub that these engines ended, with which status, and decide which come back."""
        self.helpers.kill("listing")
        if ids := [engine.id for engine, _ in ended if engine.id is not None]:
            self.helpers.start("unregister", self.errands.unregister, ids)
        now = time.monotonic()
        for engine, exit_code in ended:
            engine.exit_code = exit_code
            asked_to = engine.leaving or exit_code == -signal.SIGTERM
            comes_again = engine.was_registered or engine.starts_anew
            if self.ending or self.restarts.of_supervisor or asked_to or not comes_again:
                engine.state = EXITED
                say(f"engine {engine.index} ended with {exit_code}")
                continue
            engine.state, engine.due_at = RESTARTING, now + (pause_s := engine.pause_s(now))
            say(f"engine {engine.index} died with {exit_code}; a new one in {pause_s:g} s")

    def end_engines(self, within_s: float) -> None:
        """Start none again from now on; kill those that still run in `within_s` seconds."""
        self.ending = True
        self.kill_at = time.monotonic() + within_s
        for engine in self.engines:
            if engine.state == RESTARTING:
                engine.state = EXITED

    # --- events

    def on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self.children_ended = True
        elif number == signal.SIGHUP:
            self.restart()
        else:
            self.end_engines(TERM_GRACE_S)
            self.forked.signal_all(signal.SIGTERM)

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

    def on_fault(self, index: int, text: str) -> None:
        self.engines[index].faults.append(text)

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
        self.forked.announce_eviction()
