"""`vm_agent.py` on each VM: starts a controller or engines there, signals and stops engines.

    python vm_agent.py controller --dir=D --ip=ADDRESS [--cluster-id=ID] [-- ARGUMENTS]
    python vm_agent.py engines --dir=D --set=SET --count=N --engine-file=FILE [-- ARGUMENTS]
    python vm_agent.py restart --dir=D --set=SET [--pids=[PID, ...]]
    python vm_agent.py signal --dir=D --set=SET --signum=NUMBER
    python vm_agent.py stop --dir=D --set=SET
    python vm_agent.py logs --dir=D (--set=SET [--engine=ID] | --controller) [--max-bytes=N]
                            [--since-s=SECONDS] [--follow]
    python vm_agent.py compare --dir=D

`controller` and `engines` take --wrapper=JSON, too: the words of a command that runs ipcontroller,
or what all engines are forked from, as `nice -n 5` does.

Run over SSH by the VM's Python (bundle.py says how these files get there); these names are a
protocol, since launchers of other versions run them too. Needs the standard library and, for
`engines`, ipyparallel; it never imports ipcluster_azure. Linux.

Every line on stdout is one JSON object with an "event"; human text goes to stderr and D/log.
Exit status 0, or 1 after {"event": "failed", "reason": ...}. All state is in --dir D, mode 0700:

    D/profile/                 profile directory, may hold configuration put there beforehand
    D/controller.json          pid, create_time and connection files of the controller
    D/guard_settings.json      put there beforehand: what vm_guard.py is to do
    D/guard.json               written by vm_guard.py only: how the cluster is
    D/engines-{SET}.json       written by the set's supervisor only, replaced atomically:
        {"set", "supervisor": {"pid", "create_time"}, "listed", "evicted", "restart": {"request",
         "pending", "replaced": [{"index", "id", "pid"}]} of the last one, "engines":
         [{"index", "pid", "create_time", "id", "state", "exit_code", "log", "restarts",
           "faults"}]}, the last: what went wrong in its preparation, as texts
        state: "starting" -> "registered" -> "restarting" -> "starting" ... -> "exited";
        exit_code is that of the last that ended, -N after signal N
    D/restart-{SET}.json       put there for the supervisor: which engines are to begin anew
    D/tally-{SET}              two unsigned 64-bit numbers for each engine: tasks begun and done
    D/files.json               put there with the user's own files in ~: their names and hashes
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
import traceback
from importlib import import_module
from typing import Any

from .processes import end_processes, parse_signal, send_signal
from .work_dir import WorkDir, emit, read_json

STOP_GRACE_S = 6.0  # what a supervisor gets: more than its TERM_GRACE_S + HELPERS_END_S


def signal_command(args: argparse.Namespace) -> int:
    """Send a signal to the engines of a set; the event names the processes that got it."""
    state = read_json(WorkDir(args.dir).set_file(args.set))
    emit("signalled", pids=send_signal(state.get("engines", []), args.signum))
    return 0


def stop_command(args: argparse.Namespace) -> int:
    """The set's engines leave the hub, then end; safe to repeat.

    "killed" in the event lists the processes that SIGTERM didn't end.
    """
    killed = []
    if state := read_json(WorkDir(args.dir).set_file(args.set)):
        killed = end_processes([state["supervisor"]], STOP_GRACE_S)
        killed += end_processes(state["engines"], grace_s=0)
    emit("stopped", set=args.set, killed=killed)
    return 0


# --- command line


def address_of_login() -> str:
    """The address of this machine that an SSH client logged in to, as sshd tells it.

    Empty if this process was not started over SSH.
    """
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else ""


def file_name_part(text: str) -> str:
    """Return `text` if it can be part of a file name; argparse reports what is raised if not."""
    if not re.fullmatch(r"[\w.-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} can't be part of a file name")
    return text


def parse(argv: list[str]) -> argparse.Namespace:
    """Parse a command line; `name` and `module` of the result say where its command is, `extra` is
    what follows "--" and goes to ipcontroller or the engines."""
    extra: list[str] = []
    if "--" in argv:  # argparse treats "--" differently from one Python to the next
        argv, extra = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    parser = argparse.ArgumentParser(prog="vm_agent.py", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="SUBCOMMAND")

    def add(name: str, module: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, allow_abbrev=False)
        command.set_defaults(name=name, module=module, extra=extra)
        command.add_argument("--dir", required=True)
        return command

    controller = add("controller", "controller_process")
    controller.add_argument("--ip", required=True)
    controller.add_argument("--cluster-id", default="")
    controller.add_argument("--given", default="")
    controller.add_argument("--timeout-s", type=float, default=60)
    engines = add("engines", "engine_set_start")
    signalling = add("signal", "commands")
    restart = add("restart", "engine_set_restart")
    for command in (engines, restart, signalling, add("stop", "commands")):
        command.add_argument("--set", type=file_name_part, required=True)
    engines.add_argument("--count", type=int, required=True)
    engines.add_argument("--engine-file", required=True)
    engines.add_argument("--timeout-s", type=float, default=60)
    engines.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    engines.add_argument("--address", default=address_of_login())
    restart.add_argument("--pids", type=json.loads)
    restart.add_argument("--timeout-s", type=float, default=60)
    for command in (controller, engines):
        command.add_argument("--wrapper", type=json.loads, default=[])
    signalling.add_argument("--signum", type=parse_signal, required=True)
    add("compare", "distributions")
    logs = add("logs", "logs")
    whose = logs.add_mutually_exclusive_group(required=True)
    whose.add_argument("--set", type=file_name_part)
    whose.add_argument("--controller", action="store_true")
    logs.add_argument("--engine", type=int)
    logs.add_argument("--max-bytes", type=int, default=100_000)
    logs.add_argument("--since-s", type=float)
    logs.add_argument("--follow", action="store_true")
    return parser.parse_args(argv)


def command_of(args: argparse.Namespace) -> Any:
    """Import a command only now: a stop asks each machine for its logs, and what the others import
    takes several times as long."""
    return getattr(import_module(f".{args.module}", __package__), f"{args.name}_command")


def main(argv: list[str]) -> int:
    """Run one command; returns its exit status. What it raises is told as "failed"."""
    args = parse(argv)
    try:
        status: int = command_of(args)(args)
        return status
    except Exception as error:
        traceback.print_exc()
        emit("failed", reason=f"{type(error).__name__}: {error}")
        return 1
