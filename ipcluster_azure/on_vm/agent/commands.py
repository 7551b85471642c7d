"""Runs on each VM: starts a controller or engines there, watches, signals and stops them.

Run over SSH by the VM's Python: `python vm_agent.py SUBCOMMAND ...` (bundle.py says how these files
get there). Needs the standard library and, for `engines`, ipyparallel; it never imports
ipcluster_azure. Linux.

Every line on stdout is one JSON object with an "event"; human text goes to stderr and D/log.
Exit status 0, or 1 after {"event": "failed", "reason": ...}. All state is in --dir D, mode 0700:

    D/profile/                 profile directory, may hold configuration put there beforehand
    D/controller.json          pid, create_time and connection files of the controller
    D/guard_settings.json      put there beforehand: what vm_guard.py is to do
    D/guard.json               written by vm_guard.py only: how the cluster is
    D/engines-{SET}.json       written by the set's supervisor only, replaced atomically:
        {"set", "supervisor": {"pid", "create_time"}, "listed", "evicted", "engines":
         [{"index", "pid", "create_time", "id", "state", "exit_code", "log", "restarts"}]}
        state: "starting" -> "registered" -> "restarting" -> "starting" ... -> "exited";
        exit_code is that of the last that ended, -N after signal N
    D/log/                     ipcontroller.log, guard.log, supervisor-{SET}.log,
                               ipengine-{SET}-{index}.log

What the SSH command starts is a daemon in a session of its own without any of the command's pipes.
The engines of a set are forked from a supervisor, supervisor.py, that imported ipyparallel once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from .controller_process import controller_command, guards
from .engine import parse_signal
from .processes import POLL_S, Json, end_processes, is_alive, send_signal
from .work_dir import WorkDir, emit, installed_version, own_command, read_json, tail, versions

# what a supervisor or controller gets: more than the supervisor's TERM_GRACE_S + FAREWELL_S
STOP_GRACE_S = 6.0


# --- engines: the command in the foreground


def engines_command(args: argparse.Namespace) -> int:
    """Start a supervisor unless the set runs; report until all engines are registered."""
    work = WorkDir(args.dir)
    log = work.log / f"supervisor-{args.set}.log"
    file = work.set_file(args.set)
    with work.starting():
        state = read_json(file)
        if not is_alive(state.get("supervisor", {})):
            json.loads(Path(args.engine_file).read_bytes())  # raises: a clear message now
            end_processes(state.get("engines", []), grace_s=0)  # orphans of a killed supervisor
            file.unlink(missing_ok=True)
            supervisor = start_supervisor(work, args, log)
            while not file.exists() and supervisor.poll() is None:
                time.sleep(POLL_S / 5)
    return wait_for_engines(file, args.count, args.timeout_s, log)


def start_supervisor(work: WorkDir, args: argparse.Namespace, log: Path) -> subprocess.Popen[bytes]:
    words = [f"--dir={work.root}", f"--set={args.set}", f"--count={args.count}"]
    words += [f"--timeout-s={args.timeout_s}", f"--address={args.address}"]
    words += [f"--engine-file={Path(args.engine_file).absolute()}", "--", *args.extra]
    command = own_command("supervisor", *words)
    threads = str(max(1, args.cores // args.count))
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")
    return work.spawn(command, log, **{f"{name}_NUM_THREADS": threads for name in libraries})


def wait_for_engines(file: Path, count: int, timeout_s: float, supervisor_log: Path) -> int:
    deadline = time.monotonic() + timeout_s
    state = read_json(file)
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
            emit("ready", registered=len(ids), engines=ids, **versions())
            return 0
        reason, culprits = why_failed(engines, alive, timeout_s, time.monotonic() > deadline)
        if reason:
            log = culprits[0]["log"] if culprits else str(supervisor_log)
            reason = f"{len(registered)} of {counts['count']} engines registered; {reason}"
            reason += f"; log: {log}"
            emit("failed", **counts, reason=reason, log=log, log_tail=tail(log))
            return 1
        time.sleep(POLL_S)


def why_failed(
    engines: list[Json], alive: bool, timeout_s: float, late: bool
) -> tuple[str, list[Json]]:
    """The reason, empty as long as waiting makes sense, and the engines to blame.

    One that failed doesn't end the wait for the others: the launcher may do with those.
    """
    exited = [engine for engine in engines if engine["state"] == "exited"]
    starting = [engine for engine in engines if engine["state"] in ("starting", "restarting")]
    if exited and not starting:
        codes = [f"engine {engine['index']} exited with {engine['exit_code']}" for engine in exited]
        return ", ".join(codes), exited
    if not alive:
        return "their supervisor ended", []
    if late:
        names = ", ".join(str(engine["index"]) for engine in starting)
        return f"not after {timeout_s:g} s: {names}", starting
    return "", []


# --- the other commands


def signal_command(args: argparse.Namespace) -> int:
    state = read_json(WorkDir(args.dir).set_file(args.set))
    emit("signalled", pids=send_signal(state.get("engines", []), args.signum))
    return 0


def stop_command(args: argparse.Namespace) -> int:
    """Engines leave the hub, then end; safe to repeat. "killed" lists what TERM didn't end."""
    work = WorkDir(args.dir)
    states = work.states(args.set)
    record = read_json(work.controller_file) if args.controller else {}
    killed = end_processes([state["supervisor"] for state in states], STOP_GRACE_S)
    killed += end_processes([e for state in states for e in state["engines"]], grace_s=0)
    killed += end_processes([record, *guards(work)] if record else [], STOP_GRACE_S)
    sets = [state["set"] for state in states]
    emit("stopped", sets=sets, controller=bool(record), killed=killed)
    return 0


def status_command(args: argparse.Namespace) -> int:
    """The state files, each process with "alive" added: a killed supervisor updates no file."""
    work = WorkDir(args.dir)
    controller = read_json(work.controller_file)
    states = work.states(args.set)
    processes = [p for state in states for p in (state["supervisor"], *state["engines"])]
    for process in [*processes, controller]:
        process["alive"] = is_alive(process)
    known = controller if "pid" in controller else None
    emit("status", controller=known, sets=states, load=os.getloadavg())
    return 0


def logs_command(args: argparse.Namespace) -> int:
    pattern = r".*\.log"
    if args.controller:
        pattern = r"(guard|ipcontroller)\.log"
    elif args.set:
        pattern = rf"ipengine-{re.escape(args.set)}-\d+\.log|supervisor-{re.escape(args.set)}\.log"
    for log in sorted(WorkDir(args.dir).log.glob("*.log")):
        if re.fullmatch(pattern, log.name):
            emit("log", name=log.name, text=tail(log, args.max_bytes))
    return 0


def check_command(args: argparse.Namespace) -> int:
    """Code objects travel, so client and VM need the same Python minor version and ipyparallel."""
    found = versions()
    minor = ".".join(found["python"].split(".")[:2])
    expected_minor = ".".join(args.expect_python.split(".")[:2])
    if (minor, found["ipyparallel"]) != (expected_minor, args.expect_ipyparallel):
        emit(
            "failed",
            reason=f"{sys.executable} has Python {found['python']} with ipyparallel "
            f"{found['ipyparallel'] or '(none)'}; the client has Python {args.expect_python} with "
            f"ipyparallel {args.expect_ipyparallel}",
        )
        return 1
    emit("environment", **found, numpy=installed_version("numpy"), executable=sys.executable)
    return 0


# --- command line


def address_of_login() -> str:
    """Where this machine was logged in to; sshd says so. Empty without SSH."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else ""


def file_name_part(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} can't be part of a file name")
    return text


def parse(argv: list[str]) -> argparse.Namespace:
    extra: list[str] = []
    if "--" in argv:  # argparse treats "--" differently from one Python to the next
        argv, extra = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    parser = argparse.ArgumentParser(prog="vm_agent.py", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="SUBCOMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, allow_abbrev=False)
        command.set_defaults(run=run, extra=extra)
        if name != "check":
            command.add_argument("--dir", required=True)
        return command

    controller = add("controller", controller_command)
    controller.add_argument("--ip", required=True)
    controller.add_argument("--cluster-id", default="")
    controller.add_argument("--timeout-s", type=float, default=60)
    engines = add("engines", engines_command)
    engines.add_argument("--set", type=file_name_part, required=True)
    engines.add_argument("--count", type=int, required=True)
    engines.add_argument("--engine-file", required=True)
    engines.add_argument("--timeout-s", type=float, default=60)
    engines.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    engines.add_argument("--address", default=address_of_login())
    signalling = add("signal", signal_command)
    signalling.add_argument("--set", type=file_name_part, required=True)
    signalling.add_argument("--signum", type=parse_signal, required=True)
    stop, logs = add("stop", stop_command), add("logs", logs_command)
    for command in (add("status", status_command), stop, logs):
        command.add_argument("--set", type=file_name_part)
    for command in (stop, logs):
        command.add_argument("--controller", action="store_true")
    logs.add_argument("--max-bytes", type=int, default=100_000)
    check = add("check", check_command)
    check.add_argument("--expect-python", required=True)
    check.add_argument("--expect-ipyparallel", required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    args = parse(argv)
    try:
        status: int = args.run(args)
    except Exception as error:
        traceback.print_exc()
        emit("failed", reason=f"{type(error).__name__}: {error}")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
