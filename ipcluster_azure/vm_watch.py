"""The guard itself, a daemon on the controller's machine: sees how the cluster is, and ends it.

It looks at ipcontroller's process, hears the engines' machines once a second (vm_beat.py), asks the
hub now and then whether anything is computed, and counts how long the cluster exists. What it
knows is in D/guard.json, from which vm_guard.py tells the user's computer. When a limit is reached
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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from . import vm_hub
from .vm_beat import LINE_LIMIT, sign, verified
from .vm_deletion import Deletion, say
from .vm_hub import Load
from .vm_limits import Idleness, Lifetime
from .vm_processes import Json, identify, is_alive
from .vm_work import WorkDir, read_json, tail, write_json

T = TypeVar("T")

TICK_S = 0.25
SILENT_S = 2.5  # without a beat, of which there is one a second
LATE_S = 1.0  # by which we were kept from listening ourselves: that is nobody's silence
LINE_S = 10.0  # of silence on a connection until it is closed
SETTLED_S = 20.0  # after which the hub must know an engine
SAVE_S = 30.0
SHORTEST_LOOK_S, LONGEST_LOOK_S = 1.0, 30.0  # at the hub


@dataclass
class Machine:
    """An engines' machine. `ids`: its engines, with the time when each was first heard of."""

    heard_at: float
    ids: dict[int, float] = field(default_factory=dict)
    silent: bool = False


class Guard:
    """`settings`, all of D/guard_settings.json, which may change: max_lifetime_h, idle_timeout_min
    (0: never), age_s at its first start, grace_s from a limit to the deletion, for the user's
    computer to delete the cluster itself, and those of Deletion."""

    def __init__(self, work: WorkDir, settings: Json) -> None:
        self.work, self.settings = work, settings
        saved = read_json(work.guard_file)
        now = time.monotonic()
        self.lifetime = Lifetime(settings.get("age_s", 0.0), saved.get("clock", {}))
        self.idleness = Idleness()
        self.machines = {
            address: Machine(now, dict.fromkeys(machine["ids"], now))
            for address, machine in saved.get("machines", {}).items()
        }
        self.evicted: set[str] = set(saved.get("evicted", []))
        self.controller: Json = {"alive": True}
        self.idle = self.expired = False
        self.unknown: set[int] = set()
        self.port = 0
        self._looking = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """For ever."""
        address = read_json(self.work.controller_file)["address"]
        server = await asyncio.start_server(self.serve, address, 0, limit=LINE_LIMIT)
        self.port = server.sockets[0].getsockname()[1]
        self.save()
        await asyncio.gather(self.tick(), self.look_at_hub_now_and_then(), self.end_when_over())

    def save(self) -> None:
        machines = {
            address: {"ids": sorted(machine.ids), "silent": machine.silent}
            for address, machine in self.machines.items()
        }
        state = {
            "guard": identify(os.getpid()),
            "port": self.port,
            "controller": self.controller,
            "machines": machines,
            "evicted": sorted(self.evicted),
            "idle": self.idle,
            "expired": self.expired,
            "idle_s": round(self.idleness.idle_s(), 1),
            "clock": self.lifetime.to_save(),
        }
        write_json(self.work.guard_file, state)

    # --- what is looked at all the time

    async def tick(self) -> None:
        looked_at = saved_at = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            late_s, looked_at = now - looked_at - TICK_S, now
            if late_s > LATE_S:
                for machine in self.machines.values():
                    machine.heard_at += late_s
            self.settings = read_json(self.work.guard_settings) or self.settings
            news = self.note_silence(now) | self.look_at_controller() | self.note_age()
            if news or now - saved_at > SAVE_S:
                self.save()
                saved_at = now

    def note_silence(self, now: float) -> bool:
        silent = [
            machine
            for machine in self.machines.values()
            if not machine.silent and now - machine.heard_at > SILENT_S
        ]
        for machine in silent:
            machine.silent = True
        return bool(silent)

    def look_at_controller(self) -> bool:
        record = read_json(self.work.controller_file)
        alive = is_alive(record)
        if alive == self.controller["alive"]:
            return False
        self.controller = {"alive": alive}
        if not alive:
            log = record.get("log", "")
            self.controller |= {"log": log, "log_tail": tail(log)}
            say("ipcontroller has ended")
        return True

    def note_age(self) -> bool:
        limit_s = self.settings.get("max_lifetime_h", 0) * 3600
        if self.expired or not 0 < limit_s <= self.lifetime.age_s():
            return False
        say(f"the cluster's lifetime of {limit_s:.0f} s is over")
        self.expired = True
        return True

    # --- the hub

    def hub_info(self) -> Json:
        """The engines' connection file; empty as long as there is none."""
        files = read_json(self.work.controller_file).get("files", {})
        return read_json(Path(files["engine"])) if files else {}

    async def ask_hub(self, question: Callable[[vm_hub.Hub], T]) -> T:
        """Raises HubSilent, also when there is no hub yet."""
        info = self.hub_info()
        if not info:
            raise vm_hub.HubSilent("there is no controller")

        def ask() -> T:
            with vm_hub.hub_of(info) as hub:
                return question(hub)

        async with self._looking:
            return await asyncio.to_thread(ask)

    async def look_at_hub_now_and_then(self) -> None:
        timeout_s = self.settings.get("idle_timeout_min", 0) * 60
        look_s = min(LONGEST_LOOK_S, max(SHORTEST_LOOK_S, timeout_s / 20 or LONGEST_LOOK_S))
        while True:
            await asyncio.sleep(look_s)
            await self.look_at_hub()
            was_idle, self.idle = self.idle, self.idleness.is_idle(timeout_s)
            if self.idle != was_idle:
                say(f"idle for {self.idleness.idle_s():.0f} s" if self.idle else "busy again")
                self.save()

    async def look_at_hub(self) -> None:
        with contextlib.suppress(vm_hub.HubSilent):
            load = await self.ask_hub(vm_hub.Hub.load)
            self.idleness.note_load(load)
            self.note_unknown(load)

    def note_unknown(self, load: Load) -> None:
        """Engines that live but that the hub has given up, as after a cut of the network."""
        before = time.monotonic() - SETTLED_S
        reported = [item for machine in self.machines.values() for item in machine.ids.items()]
        self.unknown = {id_ for id_, since in reported if since < before} - load.engines

    # --- the engines' machines

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, asyncio.TimeoutError):
            nonce, count = secrets.token_hex(16), 0
            writer.write(json.dumps({"nonce": nonce}).encode() + b"\n")
            while line := await asyncio.wait_for(reader.readline(), LINE_S):
                key = self.hub_info()["key"].encode()
                request = verified(key, nonce, "machine", line)
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
        address = str(request["machine"])
        if request.get("bye"):
            evicted = {address} if request.get("evicted") else set()
            if self.machines.pop(address, None) or evicted - self.evicted:
                self.evicted |= evicted
                self.save()
            return {"unknown": []}
        ids = [int(engine_id) for engine_id in request["ids"]]
        self.hear(address, ids, evicted=bool(request["evicted"]), first=first)
        self.idleness.note_tasks(address, int(request["begun"]), int(request["done"]))
        return {"unknown": sorted(self.unknown.intersection(ids))}

    def hear(self, address: str, ids: list[int], *, evicted: bool, first: bool) -> None:
        now = time.monotonic()
        machine = self.machines.get(address)
        news = machine is None or sorted(machine.ids) != sorted(ids)
        if machine is None:
            machine = self.machines[address] = Machine(now)
        elif first:
            return  # a line that breaks again and again is none: the next beat on it counts
        if machine.silent:
            machine.silent, news = False, True
            looking = asyncio.create_task(self.look_at_hub())
            self._tasks.add(looking)
            looking.add_done_callback(self._tasks.discard)
        machine.heard_at = now
        machine.ids = {engine_id: machine.ids.get(engine_id, now) for engine_id in ids}
        if evicted != (address in self.evicted):  # false: another machine has the address now
            self.evicted ^= {address}
            news = True
        if news:
            self.save()

    async def unregister(self, address: str) -> Json:
        """Have the hub forget the engines of a machine; clients and schedulers hear it at once."""
        machine = self.machines.get(address)
        ids = sorted(machine.ids) if machine else []

        def tell(hub: vm_hub.Hub) -> list[int]:
            for engine_id in ids:
                hub.tell("unregistration_request", id=engine_id)
            return sorted(set(ids) & hub.engines(timeout_s=vm_hub.LINGER_S))  # it has done it then

        try:
            left = await self.ask_hub(tell)
        except vm_hub.HubSilent as error:
            return {"ids": [], "reason": str(error)}
        self.unknown.update(set(ids) - set(left))
        return {"ids": sorted(set(ids) - set(left))}

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
                say("the cluster deletes itself")
                await asyncio.to_thread(Deletion(self.settings).run)
                return


def watch(work: WorkDir) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # a thousand machines report
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(Guard(work, read_json(work.guard_settings)).run())
    return 0
