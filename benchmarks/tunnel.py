"""Through the SSH tunnels against straight to the same controller: latency, tasks, megabytes.

    python -m benchmarks.tunnel [--rounds 5] [--tasks 500] [--megabytes 1 8 64]

A cluster on the emulator; one client as users have it, one with the controller's own addresses.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import numpy as np
import psutil

from . import openssh
from .clusters import Home, home
from .report import Figure, Section, Table, at_least, figure, in_turns, run_alone, say

QUICK = {"rounds": 1, "tasks": 20, "megabytes": (1,)}
LINE_MB_S = 125.0  # a line of 1 Gbit/s
TIMES = 2  # that an array is sent
EMPTY = (abs, 0)  # a task that engines know without importing anything
HOW = """
One cluster with {engines} engines on one machine of the emulator. "Tunnel" is the client as users
have it: its ports are forwarded over SSH by the link process. "Direct" is a client with the
addresses of the controller's own, on the loopback. Both talk to the same controller and engines, in
turns. Latency: an empty task on one engine, sent when the one before has returned; the median of
{tasks}. Tasks a second: {tasks} empty ones sent at once, load-balanced. MB/s: an array pushed to an
engine, or pulled from it, the greater of two. All ends of the line share this computer's cores:
client, link, emulator (which is the machine's SSH server), controller, engine. So the last rows
have OpenSSH's `sshd` at the far end, as on Azure: raw bytes through a forward opened as the link
opens it, in a process of its own, against a plain connection.
"""

BOUND = """
Each end of a tunnel encrypts on one core. With a far end on another computer the link bounds the
tunnel: 8 ms of its CPU time for each MB would still fill a line of 1 Gbit/s.
""".strip()


def measure(
    rounds: int = 5, tasks: int = 500, megabytes: tuple[int, ...] = (1, 8, 64), engines: int = 4
) -> Section:
    table = Table(("figure", "tunnel", "direct", "ratio"))
    cpu = Table(("CPU time for each MB through the tunnel", "to an engine", "from an engine"))
    with home() as place:
        place.configure(engines_per_vm=engines)
        place.ipcluster("start", f"-n={engines}", "--daemonize")
        try:
            with clients(place) as ends:
                compare(table, ends, rounds, tasks, megabytes)
                add_cpu(cpu, place, ends["tunnel"], max(megabytes))
        finally:
            place.ipcluster("stop")
    add_openssh(table, rounds, max(megabytes))
    how = HOW.format(engines=engines, tasks=tasks)
    return Section("tunnel", "The tunnel against plain loopback", how, [table, cpu], [BOUND])


@contextmanager
def clients(place: Home) -> Iterator[dict[str, Any]]:
    """The launcher's client file has the tunnels' ends; the file beside it the controller's."""
    ends = {
        "tunnel": place.security / "ipcontroller-client.json",
        "direct": place.security / "azure-.client",
    }
    direct = place.folder / "direct.json"
    direct.write_text(json.dumps(direct_info(ends["tunnel"], ends["direct"])))
    opened = {"tunnel": ipp.Client(str(ends["tunnel"])), "direct": ipp.Client(str(direct))}
    try:
        yield opened
    finally:
        for client in opened.values():
            client.close()


def direct_info(tunnel: Path, direct: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads(direct.read_text())
    if info["interface"] == json.loads(tunnel.read_text())["interface"]:
        raise SystemExit(f"{direct} does not lead to the controller itself")
    return info


def compare(
    table: Table, ends: dict[str, Any], rounds: int, tasks: int, megabytes: tuple[int, ...]
) -> None:
    def both(work: Callable[[Any], float]) -> list[list[float]]:
        sides = {name: (lambda _, end=end: work(end)) for name, end in ends.items()}
        return list(in_turns(sides, rounds).values())

    for end in ends.values():
        latency_ms(end, 20)  # modules are imported, connections made
    add(table, "empty task, latency", "ms", 2, both(partial(latency_ms, tasks=tasks)))
    add(table, "empty tasks a second", "", 0, both(partial(tasks_per_second, tasks=tasks)))
    for size in megabytes:
        for way, work in (("to an engine", up_mb_s), ("from an engine", down_mb_s)):
            found = both(partial(work, megabytes=size))
            add(table, f"{size} MB {way}", "MB/s", 0, found, judged=size == max(megabytes))


def add(
    table: Table,
    what: str,
    unit: str,
    digits: int,
    sides: list[list[float]],
    *,
    judged: bool = False,
) -> None:
    tunnel, direct = (figure(side, unit, digits) for side in sides)
    goal = at_least(tunnel.median, LINE_MB_S, "MB/s, a line of 1 Gbit/s", 0) if judged else None
    table.add(what, tunnel, direct, f"{ratio(tunnel, direct):.2f}", goal=goal)


def add_openssh(table: Table, rounds: int, megabytes: int) -> None:
    """Without the emulator, whose end of the tunnel shares this computer with the other."""
    if openssh.sshd() is None:
        say("no sshd is installed; the tunnel is not measured with one")
        return
    with openssh.server() as target:
        openssh.mb_s(1, up=True, through=target)  # it answers
        for way, up in (("to", True), ("from", False)):
            ends: dict[str, dict[str, object] | None] = {"tunnel": target, "direct": None}
            sides = {
                name: (lambda _, end=end, up=up: openssh.mb_s(megabytes, up=up, through=end))
                for name, end in ends.items()
            }
            found = list(in_turns(sides, rounds).values())
            add(table, f"raw bytes {way} an sshd's host", "MB/s", 0, found, judged=True)


def add_cpu(table: Table, place: Home, client: Any, megabytes: int) -> None:
    """What each process worked for one transfer in each direction: who bounds it."""
    record = json.loads((place.security / "azure-.json").read_text())
    pids = {
        "link, the tunnels' near end": record["link_pid"],
        "emulator, their far end": place.emulator.pid,
        "client": os.getpid(),
    }
    used: dict[str, list[str]] = {name: [] for name in pids}
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    for work in (up_mb_s, down_mb_s):
        before = {name: cpu_s(process) for name, process in processes.items()}
        work(client, megabytes)
        for name, process in processes.items():
            spent_ms = (cpu_s(process) - before[name]) * 1000
            used[name].append(f"{spent_ms / (TIMES * megabytes):.1f} ms")
    for name, cells in used.items():
        table.add(name, *cells)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def ratio(tunnel: Figure, direct: Figure) -> float:
    return tunnel.median / direct.median


def latency_ms(client: Any, tasks: int) -> float:
    view, times = client[0], []
    for _ in range(tasks):
        began = time.perf_counter()
        view.apply_sync(*EMPTY)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def tasks_per_second(client: Any, tasks: int) -> float:
    view = client.load_balanced_view()
    began = time.perf_counter()
    client.wait([view.apply_async(*EMPTY) for _ in range(tasks)])
    return tasks / (time.perf_counter() - began)


def up_mb_s(client: Any, megabytes: int) -> float:
    data = np.random.default_rng(1).bytes(megabytes * 1_000_000)
    array = np.frombuffer(data, dtype=np.uint8)
    return best(lambda: client[0].push({"sent": array}, block=True), megabytes)


def down_mb_s(client: Any, megabytes: int) -> float:
    client[0].execute(f"import numpy; kept = numpy.zeros({megabytes} * 10**6, 'u1')", block=True)
    return best(lambda: client[0].pull("kept", block=True), megabytes)


def best(work: Callable[[], object], megabytes: int) -> float:
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return megabytes / min(times)


if __name__ == "__main__":
    run_alone(measure)
