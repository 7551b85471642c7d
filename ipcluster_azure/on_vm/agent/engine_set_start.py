"""Starts the engine set of one machine, and reports until its engines are registered.

The engines themselves are forked by the set's supervisor (supervisor.py), a daemon that this
command starts and that outlives it. Linux, standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from .distributions import found_environment
from .processes import POLL_S, Json, all_processes, end_processes, is_alive
from .work_dir import WorkDir, emit, own_command, read_json, tail


def engines_command(args: argparse.Namespace) -> int:
    """`vm_agent.py engines`: start the set's supervisor unless it runs, then wait_for_engines.

    Engines whose supervisor was killed are ended, and others take their places.
    """
    work = WorkDir(args.dir)
    log = work.supervisor_log(args.set)
    file = work.set_file(args.set)
    with work.starting():
        state = read_json(file)
        if is_alive(state.get("supervisor", {})):
            go_on(state["supervisor"]["pid"])
        else:
            json.loads(Path(args.engine_file).read_bytes())  # raises: a clear message now
            orphans = state.get("engines", [])
            end_processes(orphans, grace_s=0)
            file.unlink(missing_ok=True)
            supervisor = start_supervisor(work, args, log, orphans)
            while not file.exists() and supervisor.poll() is None:
                time.sleep(POLL_S / 5)
    return wait_for_engines(work, args.set, args.count, args.timeout_s)


def go_on(supervisor: int) -> None:
    """Have a supervisor and its helpers go on if a signal has stopped them; its engines may have
    been stopped on purpose, by a client."""
    members = [pid for pid, stat in all_processes().items() if stat.group == supervisor]
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def start_supervisor(
    work: WorkDir, args: argparse.Namespace, log: Path, orphans: list[Json]
) -> subprocess.Popen[bytes]:
    """Start supervisor_process.py as a daemon whose engines share the machine's cores.

    `orphans`: the engines of one that was killed, of which the hub has not been told.
    """
    words = [f"--dir={work.root}", f"--set={args.set}", f"--count={args.count}"]
    words += [f"--timeout-s={args.timeout_s}", f"--address={args.address}"]
    words += [f"--engine-file={Path(args.engine_file).absolute()}", "--", *args.extra]
    left = [e["id"] for e in orphans if e["state"] in ("starting", "registered")]
    words.insert(0, f"--orphans={json.dumps([id_ for id_ in left if id_ is not None])}")
    command = [*args.wrapper, *own_command("supervisor_process", *words)]
    threads = str(max(1, args.cores // args.count))
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
    mode = "ab" if orphans else "wb"
    return work.spawn(
        command, log, mode=mode, **{f"{name}_NUM_THREADS": threads for name in libraries}
    )


def wait_for_engines(work: WorkDir, set_id: str, count: int, timeout_s: float) -> int:
    """Report how many engines of the set are registered, as that changes.

    Returns the exit status: 0 after the event "ready" once all
    `count` are registered and listed by the hub, 1 after "failed" when waiting makes no sense any
    more, or after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    file = work.set_file(set_id)
    state, environment = read_json(file), found_environment(work)
    reported = None
    while True:
        alive = is_alive(state.get("supervisor", {}))  # before reading the last state it wrote
        state = read_json(file)
        engines = state.get("engines", [])
        registered = [engine for engine in engines if engine["state"] == "registered"]
        counts = {"registered": len(registered), "count": len(engines) or count}
        if counts != reported:
            emit("registered", **counts)
            reported = counts
        if state.get("listed") and counts["registered"] == counts["count"]:
            ids = [{key: engine[key] for key in ("index", "id", "pid")} for engine in registered]
            emit("ready", registered=len(ids), engines=ids, faults=faults(engines), **environment)
            return 0
        reason, culprits = why_failed(engines, alive, timeout_s, time.monotonic() > deadline)
        if reason:
            log = culprits[0]["log"] if culprits else str(work.supervisor_log(set_id))
            reason = f"{len(registered)} of {counts['count']} engines registered; {reason}"
            reason += "".join(f"; {text}" for text in faults(engines)) + f"; log: {log}"
            emit("failed", **counts, reason=reason, log=log, log_tail=tail(log))
            return 1
        time.sleep(POLL_S)


def faults(engines: list[Json]) -> dict[str, list[int]]:
    """Return what went wrong in the engines' preparation, with the indices of those concerned."""
    found: dict[str, list[int]] = {}
    for engine in engines:
        for text in engine.get("faults", ()):
            found.setdefault(text, []).append(engine["index"])
    return found


def why_failed(
    engines: list[Json], alive: bool, timeout_s: float, late: bool
) -> tuple[str, list[Json]]:
    """Return why the set will never be complete, and the engines to blame.

    The reason is empty as long as waiting makes sense. One engine that failed doesn't end the wait
    for the others: the launcher may do with those. `alive` says whether the set's supervisor runs,
    `late` whether `timeout_s` is over.
    """
    exited = [engine for engine in engines if engine["state"] == "exited"]
    starting = [engine for engine in engines if engine["state"] in ("starting", "restarting")]
    if exited and not starting:
        codes = [f"engine {engine['index']} exited with {engine['exit_code']}" for engine in exited]
        return ", ".join(codes), exited
    if not alive:
        return "the supervisor that starts them has ended", []
    if late:
        names = ", ".join(f"engine {engine['index']}" for engine in starting)
        return f"{names} did not register within {timeout_s:g} s", starting
    return "", []
