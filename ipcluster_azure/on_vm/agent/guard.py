"""Runs on the controller's machine: watches over the cluster, and tells how it is.

    python vm_guard.py watch --dir=D                          a daemon, started with the controller
    python vm_guard.py follow --dir=D                         what it sees, as it happens
    python vm_guard.py load --dir=D [--follow]                how busy it is, once or every second
    python vm_guard.py unregister --dir=D --machine=ADDRESS   the hub forgets its engines

Every line on stdout is one JSON object with an "event". `follow` begins with "state", which says
everything: "controller": {"alive", "log", "log_tail"}, "machines": {ADDRESS: {"ids", "silent"}},
"evicted": [ADDRESS], "idle", "idle_s", "expired", "age_s". Then, as it changes:

    {"event": "controller_exited", "log", "log_tail"}
    {"event": "silent", "machines": [ADDRESS]}     nothing was heard of them for 2.5 s
    {"event": "heard", "machines": [ADDRESS]}      they are heard again
    {"event": "evicted", "machines": [ADDRESS]}    Azure is about to take them back
    {"event": "idle", "idle_s"}, {"event": "expired"}
    {"event": "alive"}                             every second: the line is up

It ends when its standard input does, or nobody reads its output; so does `load --follow`, with:

    {"event": "load", "registered": engines that the hub knows, or null; with --follow always null,
     "controller": {"cpus", "cpu_percent", "memory_bytes", "memory_total_bytes"},
     "machines": {ADDRESS: {"ids", "silent", and of those that told it: the same, and "engines":
      [{"id", "begun", "done", "cpu_percent", "memory_bytes", "done_per_s"}]}}, "idle_s", "age_s"}
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator

from . import heartbeat
from .processes import Json, Stopped, is_alive
from .work_dir import WorkDir, emit, ensure_guard, guard_port, hung_up, read_json

LOOK_S = 0.1
ALIVE_S = 1.0
LOAD_S = 15.0  # the guard may have to wait for the hub, and for others who ask it


def state_of(guard: Json) -> Json:
    """Return the part of D/guard.json's content that `follow` tells."""
    names = ("controller", "machines", "evicted", "idle", "idle_s", "expired")
    return {name: guard[name] for name in names} | {"age_s": guard["clock"]["age_s"]}


def changes(old: Json, new: Json) -> Iterator[Json]:
    """Yield the events that lead from one state to the next."""
    if old["controller"]["alive"] and not new["controller"]["alive"]:
        tail = {name: new["controller"][name] for name in ("log", "log_tail")}
        yield {"event": "controller_exited", **tail}
    for name, silent in (("silent", True), ("heard", False)):
        machines = [
            address
            for address, machine in new["machines"].items()
            if machine["silent"] == silent
            and old["machines"].get(address, {"silent": False})["silent"] != silent
        ]
        if machines:
            yield {"event": name, "machines": machines}
    if evicted := sorted(set(new["evicted"]) - set(old["evicted"])):
        yield {"event": "evicted", "machines": evicted}
    if new["idle"] and not old["idle"]:
        yield {"event": "idle", "idle_s": new["idle_s"]}
    if new["expired"] and not old["expired"]:
        yield {"event": "expired"}


def follow(work: WorkDir) -> int:
    """Tell how the cluster is until whoever reads it hangs up; returns the exit status."""
    start_again(work)
    guard = read_json(work.guard_file)
    state = state_of(guard)
    emit("state", **state)
    said_at, stopped = time.monotonic(), Stopped()
    while not hung_up(LOOK_S):
        now = time.monotonic()
        if now - said_at >= ALIVE_S:
            if not is_alive(guard["guard"]):
                start_again(work)
            stopped.go_on([guard["guard"]["pid"]])
            emit("alive")
            said_at = now
        if guard != (guard := read_json(work.guard_file) or guard):
            old, state = state, state_of(guard)
            for event in changes(old, state):
                print(json.dumps(event), flush=True)
    return 0


def start_again(work: WorkDir) -> None:
    """Start the guard again if it has died. Nobody else would: it is a daemon, and outlives who
    started it."""
    with work.starting():
        ensure_guard(work)
    guard_port(work)


def load(work: WorkDir, *, keep_on: bool) -> int:
    """Tell how busy the machines and their engines are, once, or every second until whoever reads
    it hangs up; returns the exit status."""
    whom = "alone" if keep_on else "with hub"
    with heartbeat.Line.to(hub_with_guard(work), heartbeat.ANSWER_LIMIT, LOAD_S) as line:
        while True:
            emit("load", **line.ask({"show_load": whom})["load"])
            if not keep_on or hung_up(heartbeat.BEAT_S):
                return 0


def hub_with_guard(work: WorkDir) -> Json:
    """Return what heartbeat.py needs to talk to the guard, as an engines' machine would."""
    record = read_json(work.controller_file)
    with open(record["files"]["engine"], encoding="utf-8") as file:
        hub: Json = json.load(file)
    return hub | {"guard": guard_port(work)}


def unregister(work: WorkDir, machine: str) -> int:
    """Have the guard tell the hub to forget the engines of a machine; returns the exit status."""
    answer = heartbeat.tell(hub_with_guard(work), {"unregister": machine})
    if "reason" in answer:
        emit("failed", reason=answer["reason"])
        return 1
    emit("unregistered", ids=answer["ids"])
    return 0


def main(argv: list[str]) -> int:
    """Run one command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="vm_guard.py", allow_abbrev=False)
    parser.add_argument("command", choices=("watch", "follow", "load", "unregister"))
    parser.add_argument("--dir", required=True)
    parser.add_argument("--machine", default="")
    parser.add_argument("--follow", action="store_true")
    args = parser.parse_args(argv)
    work = WorkDir(args.dir)
    if args.command == "watch":
        from .guard_daemon import watch  # what follows it needs none of that

        watch(work)
    try:
        if args.command == "follow":
            return follow(work)
        if args.command == "load":
            return load(work, keep_on=args.follow)
        return unregister(work, args.machine)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the exit would try to flush, and say so
        return 0
    except (OSError, ValueError, KeyError) as error:
        emit("failed", reason=f"{type(error).__name__}: {error}")
        return 1
