"""The guard itself, a daemon on the controller's machine: sees how the cluster is, and ends it.

It looks at ipcontroller's process, hears the engines' machines once a second (heartbeat.py), asks
the hub now and then whether anything is computed, and counts how long the cluster exists. What it
knows is in D/guard.json, from which guard.py tells the user's computer. When a limit is reached
and nobody ends the cluster, it deletes it some time after, if it was given the permission. Linux;
needs pyzmq and ipyparallel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import secrets
import time
import traceback
from typing import NoReturn

from .controller_watch import ControllerWatch
from .heard_machines import Roll
from .heartbeat import LINE_LIMIT, sign, verified
from .hub import Hub, HubSilent
from .hub_questions import HubQuestions
from .instance_metadata import INSTANCE, created_s, metadata
from .joining import Joins
from .limits import Idleness, Lifetime
from .loads import Loads
from .processes import Json, identify
from .strangers import Strangers
from .work_dir import WorkDir, read_json, say, write_json

TICK_S = 0.25
LATE_S = 1.0  # by which we were kept from listening ourselves: that is nobody's silence
LINE_S = 10.0  # of silence on a connection until it is closed
SAVE_S = 30.0
TIME_LOOK_S = 5.0
AGAIN_S = 5.0  # after an error of ours
SHORTEST_LOOK_S, LONGEST_LOOK_S = 1.0, 30.0  # at the hub


class Guard:
    """Watches over one cluster.

    `settings` is the content of D/guard_settings.json, which may change: max_lifetime_h and
    idle_timeout_min (0: never), created_s of the cluster by Azure's clock, age_s of it at the
    guard's first start, the port at which it listens (0: any), grace_s from a limit to the
    deletion, in which the user's computer can delete the cluster itself, and Deletion's settings.
    """

    def __init__(self, work: WorkDir, settings: Json) -> None:
        self.work, self.settings = work, settings
        saved = read_json(work.guard_file)
        self.lifetime = Lifetime(settings.get("age_s", 0.0), saved.get("clock", {}))
        self.idleness = Idleness(self.lifetime.age_s)
        self.roll = Roll.read(saved, time.monotonic())
        self.controller, self.loads = ControllerWatch(work), Loads()
        self.hub = HubQuestions(work)
        self.idle = self.expired = False
        self.joins = Joins(work, saved)
        self.port = int(saved.get("port") or settings.get("port", 0))
        self._told: Json = {}
        self._strangers = Strangers()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Watch for ever."""
        address = read_json(self.work.controller_file)["address"]
        self.port = await self.listen(address)
        self.save()
        await asyncio.gather(
            self.tick(),
            self.keep_time(),
            self.look_at_hub_now_and_then(),
            self.end_when_over(),
        )

    async def listen(self, address: str) -> int:
        """Hear the engines' machines; returns the port. If possible it is that of an earlier guard,
        to which machines still talk."""
        try:
            server = await asyncio.start_server(self.serve, address, self.port, limit=LINE_LIMIT)
        except OSError:
            server = await asyncio.start_server(self.serve, address, 0, limit=LINE_LIMIT)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def news(self) -> Json:
        """Return the part of the guard's state that others are told at once when it changes."""
        state = {"controller": self.controller.news, "idle": self.idle, "expired": self.expired}
        return {"port": self.port, **state, **self.roll.shown(), **self.joins.shown()}

    def save(self) -> None:
        """Write D/guard.json, from which others, and a guard after this one, read the state."""
        self._told = self.news()
        clock, idle_s = self.lifetime.to_save(), round(self.idleness.idle_s(), 1)
        state = {"guard": identify(os.getpid()), "clock": clock, "idle_s": idle_s}
        write_json(self.work.guard_file, {**self._told, **state})

    # --- what is looked at all the time

    async def tick(self) -> None:
        looked_at = saved_at = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            late_s, looked_at = now - looked_at - TICK_S, now
            if late_s > LATE_S:
                self.roll.be_late(late_s)
            self.settings = read_json(self.work.guard_settings) or self.settings
            self.roll.note_silence(now)
            self.loads.measure(now)
            self.controller.look(now)
            self.note_age()
            if self.news() != self._told or now - saved_at > SAVE_S:
                self.save()
                saved_at = now

    def note_age(self) -> None:
        limit_s = self.settings.get("max_lifetime_h", 0) * 3600
        if not self.expired and 0 < limit_s <= self.lifetime.age_s():
            say(f"the cluster's lifetime of {limit_s:.0f} s is over")
            self.expired = True

    async def keep_time(self) -> None:
        """Go by Azure's clock. Where it can't be heard, CLOCK_BOOTTIME goes on."""
        first = True
        while True:
            with contextlib.suppress(OSError, ValueError):
                instance, date_s = await asyncio.to_thread(metadata, INSTANCE)
                created = self.settings.get("created_s") or created_s(instance)
                if date_s is not None and created:
                    ahead_s = self.lifetime.correct(date_s - created)
                    # it has just begun, or was deployed again: neither is idleness, nor work
                    self.idleness.active_at += ahead_s if first or ahead_s < 0 else 0.0
                    first = False
            await asyncio.sleep(TIME_LOOK_S)

    # --- the hub

    async def look_at_hub_now_and_then(self) -> None:
        while True:
            timeout_s = self.settings.get("idle_timeout_min", 0) * 60
            look_s = min(LONGEST_LOOK_S, max(SHORTEST_LOOK_S, timeout_s / 20 or LONGEST_LOOK_S))
            await asyncio.sleep(look_s)
            await self.look_at_hub()
            was_idle, self.idle = self.idle, self.idleness.is_idle(timeout_s)
            if self.idle != was_idle:
                say(f"idle for {self.idleness.idle_s():.0f} s" if self.idle else "busy again")

    async def look_at_hub(self) -> None:
        with contextlib.suppress(HubSilent):
            load = await self.hub.ask(Hub.load)
            self.idleness.note_load(load)
            self.roll.compare(load.engines, time.monotonic())

    # --- the engines' machines

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        errors = OSError, ValueError, KeyError, TypeError, asyncio.TimeoutError
        with contextlib.suppress(*errors), contextlib.ExitStack() as stranger:
            stranger.enter_context(self._strangers.waiting(writer))
            nonce, count = secrets.token_hex(16), 0
            writer.write(json.dumps({"nonce": nonce}).encode() + b"\n")
            while line := await asyncio.wait_for(reader.readline(), LINE_S):
                key = self.hub.info()["key"].encode()
                request = verified(key, nonce, "machine", line)
                stranger.close()
                count += 1
                if request["count"] != count:
                    break
                answer = {"count": count, **await self.answer(request, first=count == 1)}
                writer.write(json.dumps(sign(key, nonce, "guard", answer)).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def answer(self, request: Json, *, first: bool) -> Json:
        if "unregister" in request:
            return await self.unregister(str(request["unregister"]))
        if "show_load" in request:
            return {"load": await self.load(ask_hub=request["show_load"] == "with hub")}
        if "join" in request:
            return self.joins.answer(request)
        address = str(request["machine"])
        if request.get("bye"):
            self.roll.leave(address, evicted=bool(request["evicted"]))
            self.loads.forget(address)
        else:
            self.hear(address, request, first=first)
        if self.news() != self._told:
            self.save()
        return {"unknown": sorted(self.roll.unknown.intersection(request.get("ids", ())))}

    def hear(self, address: str, beat: Json, *, first: bool) -> None:
        machine = self.roll.machines.get(address)
        was_silent = machine is not None and machine.silent
        ids, evicted = [int(engine_id) for engine_id in beat["ids"]], bool(beat["evicted"])
        self.roll.hear(address, ids, evicted=evicted, first=first, now=time.monotonic())
        self.idleness.note_tasks(address, int(beat["begun"]), int(beat["done"]))
        self.loads.note(address, beat.get("load", {}), time.monotonic())
        if was_silent and machine is not None and not machine.silent:
            looking = asyncio.create_task(self.look_at_hub())
            self._tasks.add(looking)
            looking.add_done_callback(self._tasks.discard)

    async def unregister(self, address: str) -> Json:
        """Have the hub forget the engines of a machine; clients and schedulers hear it at once."""
        machine = self.roll.machines.get(address)
        try:
            forgotten = await self.hub.forget(machine.ids if machine else ())
        except HubSilent as error:
            return {"ids": [], "reason": str(error)}
        self.roll.unknown.update(forgotten)
        return {"ids": sorted(forgotten)}

    async def load(self, *, ask_hub: bool) -> Json:
        """Return what guard.py tells as "load"; `registered` are the engines that the hub knows,
        None if it doesn't answer or isn't to be asked."""
        registered = await self.hub.registered() if ask_hub else None
        times = {"idle_s": self.idleness.idle_s(), "age_s": self.lifetime.age_s()}
        return {
            "registered": registered,
            **times,
            **self.loads.beside(self.roll.shown()["machines"]),
        }

    # --- the end

    async def end_when_over(self) -> None:
        """Wait for a limit, then for grace_s, then delete: unless something is computed again."""
        over_since: float | None = None
        while True:
            await asyncio.sleep(TICK_S)
            if not (self.idle or self.expired) or not self.settings.get("delete"):
                over_since = None
                continue
            over_since = over_since or time.monotonic()
            if time.monotonic() - over_since >= self.settings["grace_s"]:
                from .deletion import Deletion  # imports much that a guard hardly ever needs

                say("the cluster deletes itself")
                await asyncio.to_thread(Deletion(self.joins.with_sets(self.settings)).run)
                return


def watch(work: WorkDir) -> NoReturn:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # a thousand machines report
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    while True:  # nobody else ends a forgotten cluster
        try:
            asyncio.run(Guard(work, read_json(work.guard_settings)).run())
        except Exception:
            traceback.print_exc()
            time.sleep(AGAIN_S)
