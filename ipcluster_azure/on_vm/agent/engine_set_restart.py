"""Has the supervisor of a set start engines of one machine anew. Linux, standard library."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import time

from .engine_set_start import faults, go_on
from .processes import POLL_S, Json, is_alive
from .work_dir import WorkDir, emit, read_json, tail, write_json

NOBODY = (
    "nobody supervises its engines at the moment; others take their places within seconds. Run "
    "the same command again"
)


def restart_command(args: argparse.Namespace) -> int:
    """`vm_agent.py restart`: engines of these pids begin anew, or all, and the supervisor too.

    Returns once the hub lists the new ones. The event "restarted" has their ids by those of before,
    null for one that did not come, and what went wrong in their preparation.
    """
    work = WorkDir(args.dir)
    with work.starting():
        state = read_json(work.set_file(args.set))
        if is_alive(state.get("supervisor", {})):
            state = _restart(work, args, state)
    restart, engines = state.get("restart", {}), state.get("engines", [])
    if not restart and any(engine["state"] != "exited" for engine in engines):
        emit("failed", reason=NOBODY, log_tail=tail(work.supervisor_log(args.set)))
        return 1
    # without any: all have ended as they were asked to, and stay away
    now = {engine["index"]: engine for engine in engines}
    ids = {
        old["id"]: now[old["index"]]["id"] if _is_new(now[old["index"]], old) else None
        for old in restart.get("replaced", ())
    }
    emit("restarted", ids=ids, faults=faults(engines))
    return 0


def _restart(work: WorkDir, args: argparse.Namespace, state: Json) -> Json:
    """Ask the supervisor, and return its last state; without "restart" if it has ended instead."""
    file, supervisor = work.set_file(args.set), state["supervisor"]
    asked = None
    if args.pids is not None:
        asked = [engine for engine in state["engines"] if engine["pid"] in args.pids]
    request, alive = secrets.token_hex(8), True
    write_json(work.restart_file(args.set), {"request": request, "engines": asked})
    go_on(supervisor["pid"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(supervisor["pid"], signal.SIGHUP)
    deadline = time.monotonic() + args.timeout_s
    while alive and not _is_done(state, request) and time.monotonic() < deadline:
        time.sleep(POLL_S)
        alive = is_alive(supervisor)  # before reading the last state it wrote
        state = read_json(file)
    taken = state["restart"].get("request") == request
    work.restart_file(args.set).unlink(missing_ok=True)
    return state if taken and (alive or _is_done(state, request)) else {**state, "restart": {}}


def _is_done(state: Json, request: str) -> bool:
    restart = state["restart"]
    if restart.get("request") != request or restart["pending"]:
        return False
    now = {engine["index"]: engine for engine in state["engines"]}
    if all(engine["state"] == "exited" for engine in state["engines"]):
        return True
    return state["listed"] and all(
        now[old["index"]]["state"] == "exited" or _is_new(now[old["index"]], old)
        for old in restart["replaced"]
    )


def _is_new(engine: Json, old: Json) -> bool:
    return bool(engine["state"] == "registered" and engine["pid"] != old["pid"])
