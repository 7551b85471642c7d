"""Starts ipcontroller on its machine, and the guard beside it. Linux, standard library."""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import time
from pathlib import Path

from . import dask
from .distributions import found_environment
from .processes import POLL_S, Json, end_processes, identify, is_alive
from .work_dir import (
    WorkDir,
    emit,
    ensure_guard,
    guard_port,
    own_command,
    read_json,
    tail,
    write_json,
)

LOG_START_BYTES = 100_000  # more than a controller logs until it is ready
# a traceback's lines are indented, up to the last
CONFIG_FAULT = re.compile(
    r"Exception while loading config file (?P<path>.+)\n"
    r"(?P<trace>Traceback.*\n(?:\s.*\n)*)(?P<why>.+)"
)


def controller_command(args: argparse.Namespace) -> int:
    """`vm_agent.py controller`: start ipcontroller and its guard unless they run.

    Returns the exit status: 0 after the event "ready" with both connection files once ipcontroller
    can be reached, 1 after "failed" with its log's end if it ends before, or takes too long.
    """
    work = WorkDir(args.dir)
    daemon = None
    with work.starting():
        record = read_json(work.controller_file)
        if not is_alive(record):
            end_processes(guards(work), grace_s=0)  # of a controller before this one
            work.guard_file.unlink(missing_ok=True)
            daemon, record = start_controller(work, args)
        guard = ensure_guard(work)
    deadline = time.monotonic() + args.timeout_s
    while (infos := connection_infos(record)) is None:
        if daemon and daemon.poll() is not None:
            reason = f"ipcontroller exited with {daemon.returncode} before it was ready"
        elif time.monotonic() > deadline:
            reason = f"ipcontroller was not ready after {args.timeout_s:g} s"
        else:
            time.sleep(POLL_S)
            continue
        if daemon:
            end_processes([record, guard], grace_s=1)
        log = record["log"]
        emit("failed", reason=f"{reason}; its log is {log}", log=log, log_tail=tail(log))
        return 1
    infos["engine"]["guard"] = guard_port(work)
    faults = config_faults(Path(record["log"]))
    found = found_environment(work)
    emit("ready", **infos, pid=record["pid"], dask=dask.PORT, faults=faults, **found)
    return 0


def config_faults(log: Path) -> list[str]:
    """Return which configuration files ipcontroller goes on without, and why, as its log says."""
    faults = []
    for found in CONFIG_FAULT.finditer(tail(log, LOG_START_BYTES)):
        path, trace, why = found["path"], found["trace"], found["why"]
        lines = re.findall(rf'File "{re.escape(path)}", line (\d+)', trace)
        place = f", line {lines[-1]}" if lines else ""
        faults.append(f"{Path(path).name}{place}: {why}")
    return faults


def guards(work: WorkDir) -> list[Json]:
    """Return the processes of the guard on record: one, or none."""
    guard = read_json(work.guard_file).get("guard")
    return [guard] if guard else []


def start_controller(
    work: WorkDir, args: argparse.Namespace
) -> tuple[subprocess.Popen[bytes], Json]:
    """Start ipcontroller as a daemon; returns it, and what was written to D/controller.json."""
    import resource

    # each engine takes two descriptors; the usual soft limit of 1,024 ends near 480 engines
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    base = f"ipcontroller-{args.cluster_id}" if args.cluster_id else "ipcontroller"
    files = {
        side: work.profile / "security" / f"{base}-{side}.json" for side in ("client", "engine")
    }
    if not any("reuse" in argument for argument in args.extra):
        for file in files.values():  # of a controller that was killed: they would look ready
            file.unlink(missing_ok=True)

    words = [f"--host={args.ip}", f"--given={args.given}", "--", f"--profile-dir={work.profile}"]
    command = [*args.wrapper, *own_command("dask", *words)]
    command += [f"--ip={args.ip}", f"--location={args.ip}"]
    command += [f"--cluster-id={args.cluster_id}"] if args.cluster_id else []
    log = work.log / "ipcontroller.log"
    daemon = work.spawn(command + args.extra, log)
    record = identify(daemon.pid) | {"log": str(log), "address": args.ip}
    record["files"] = {side: str(file) for side, file in files.items()}
    write_json(work.controller_file, record)
    return daemon, record


def connection_infos(record: Json) -> Json | None:
    """Return the content of both connection files, "client" and "engine", once the hub listens.

    None before that; the files may exist earlier, with --reuse.
    """
    infos = {side: read_json(Path(file)) for side, file in record["files"].items()}
    client = infos["client"]
    if not client or not infos["engine"]:
        return None
    address = (client["location"], client["registration"])
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return None
    for file in record["files"].values():
        os.chmod(file, 0o600)
    return infos
