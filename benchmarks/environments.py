"""An environment of 150 packages on its way to 8 machines, in three ways.

    python -m benchmarks.environments [--rounds 3] [--machines 8]

The machines are folders of this computer, with the scripts that real machines run; packages come
from the package index, and each round downloads them anew.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ipcluster_azure.environment.prepare import prepare
from ipcluster_azure.environment.selection import Selection, Target
from ipcluster_azure.ssh.machine_lock import machine_lock

from .environment_machines import (
    PYTHON,
    SHARED,
    UV,
    Took,
    Words,
    clear,
    compress,
    install,
    machine,
    run,
    script,
    step,
    timed,
)
from .report import Section, Table, at_most, figure, in_turns, run_alone, say

PACKAGES = (
    "ipyparallel numpy scipy pandas scikit-learn matplotlib numba polars pyarrow jupyter jupyterlab"
    " seaborn statsmodels xarray dask distributed sympy networkx bokeh plotly requests sqlalchemy"
    " openpyxl h5py pytest cloudpickle dill joblib tqdm pillow"
)
QUICK = {"rounds": 1, "machines": 2, "packages": "ipyparallel numpy"}
CONTROLLER = "127.77.1.4"
LINES_GBIT = (1.0, 12.5)
TRANSFERS = 4  # that the controller serves at once; then those that have it serve, too
LIMIT = 1.5
Way = tuple[Callable[[], Any], Path, Callable[[Path, Path], Any]]
Noted = Callable[[str, Callable[[], Any]], "Took"]
HOW = """
{count} packages, {wheels:.0f} MB of wheels, from the package index to a controller and {machines}
machines. All are folders of this computer, and share its cores and its disk; the scripts are those
that real machines run, HTTP included. T1 is `uv pip sync --no-build` of the
lock with an empty cache into an empty environment, T2 is `cp -a` of the result for each machine in
turn. The whole way is what a start does: the controller downloads, installs, compiles what an
engine's start imports and packs; then all machines at once copy, unpack and install. As the
emulator's machines do, they share a package cache that is empty at first: on both sides each wheel
is unpacked once, and then copied to each machine. Each round downloads all anew.
"""
WAYS = """
Three ways from the controller to the machines, with the same environment: what the controller
packs, and what one machine with a cache of its own does with it; CPU time is in brackets. The
totals are computed for machines of their own: packing, the archive over a line as fast as said for
each generation of the tree in which it spreads to {machines} machines, and one machine's work.
The project sends wheels: with them, what is added to a running cluster is all that travels, and the
image needs no `zstd`, which would be as fast.
"""


def measure(rounds: int = 3, machines: int = 8, packages: str = PACKAGES) -> Section:
    with tempfile.TemporaryDirectory(prefix="ipcluster-azure-bench-") as name:
        folder = Path(name)
        selection = Selection("minimal", tuple(packages.split()))
        target = Target(PYTHON, platform.machine(), (2, 28))
        lock = prepare(selection, target, folder, say).lock
        count = len(json.loads(machine_lock(lock, PYTHON))["packages"])
        whole = whole_way(folder, lock, rounds, machines)
        ways, wheels = three_ways(folder, lock, machines)
    how = HOW.format(count=count, wheels=wheels, machines=machines)
    how += WAYS.format(machines=machines)
    title = "An environment of 150 packages on 8 machines"
    return Section("environments", title, how, [whole, ways])


# --- the whole way, against uv and cp


def whole_way(folder: Path, lock: Path, rounds: int, machines: int) -> Table:
    phases: dict[str, list[Took]] = {}

    def noted(name: str, work: Callable[[], Any]) -> Took:
        took = timed(work)
        phases.setdefault(name, []).append(took)
        say(f"{name}: {took.wall_s:.1f} s, {took.cpu_s:.1f} s of CPU")
        return took

    found = in_turns(
        {
            "uv": lambda _: sync(folder / "plain", lock, machines, noted),
            "ours": lambda _: start(folder / "cluster", lock, machines, noted),
        },
        rounds,
    )
    table = Table(("what", "time", "CPU time"))
    for name, took in [*phases.items(), ("the whole way", found["ours"])]:
        table.add(name, figure(one.wall_s for one in took), figure(one.cpu_s for one in took))
    pairs = list(zip(found["ours"], found["uv"], strict=True))
    ratio = figure((ours.wall_s / theirs.wall_s for ours, theirs in pairs), "", 2)
    of_cpu = figure((ours.cpu_s / theirs.cpu_s for ours, theirs in pairs), "", 2)
    goal = at_most(ratio.median, LIMIT, digits=2)
    table.add("the whole way / (T1 + T2)", ratio, of_cpu, goal=goal)
    return table


def sync(folder: Path, lock: Path, machines: int, noted: Noted) -> Took:
    """What uv takes, and the copies."""
    clear(folder)
    folder.mkdir()
    python = folder / "env" / "bin" / "python"
    run([UV, "venv", "--quiet", "--python", PYTHON, folder / "env"])
    command: Words = [UV, "pip", "sync", "--quiet", "--no-build", "--preview-features", "pylock"]
    into: Words = ["--cache-dir", folder / "cache", "--python", python, lock]
    took = noted("T1: `uv pip sync`, everything downloaded", lambda: run([*command, *into]))

    def copy() -> None:
        for number in range(machines):
            run(["cp", "-a", folder / "env", folder / f"copy{number}"])

    took += noted(f"T2: {machines} times `cp -a`", copy)
    clear(folder)
    return took


def start(folder: Path, lock: Path, machines: int, noted: Noted) -> Took:
    """What a start takes from the lock to the last machine's environment."""
    clear(folder)
    (folder / SHARED).mkdir(parents=True)
    controller = machine(folder / "controller", lock)
    took = noted("controller: download, install", lambda: step(controller, "build"))
    noted("controller: a second time", lambda: step(controller, "build"))
    packed: dict[str, Any] = {}
    took += noted("controller: compile, pack", lambda: packed.update(step(controller, "pack")))
    serve = ["vm_depot.py", "serve", f"--address={CONTROLLER}"]
    url = script(controller, *serve)["url"]
    engines = [machine(folder / f"engines{number}") for number in range(machines)]

    def fetch(engine: Path) -> None:
        script(engine, "vm_fetch.py", f"--url={url}", f"--sha256={packed['sha256']}")
        step(engine, "install")

    def all_at_once() -> None:
        with ThreadPoolExecutor(machines) as pool:
            list(pool.map(fetch, engines))

    took += noted(f"{machines} machines at once: copy, install", all_at_once)
    os.kill(int((controller / "depot.pid").read_text()), signal.SIGTERM)
    clear(folder)
    return took


# --- the three ways from the controller to the machines


def three_ways(folder: Path, lock: Path, machines: int) -> tuple[Table, float]:
    """One archive of the environment, the same compressed, and the wheels, with their MB."""
    controller = machine(folder / "controller", lock)
    step(controller, "build")
    table = Table(
        (
            *("way", "MB", "packing", "one machine"),
            *(f"computed at {line:g} Gbit/s" for line in LINES_GBIT),
        )
    )
    for name, (pack, archive, unpack) in ways_from(controller).items():
        packing = timed(pack)
        target = folder / "machine"
        target.mkdir()
        alone = timed(partial(unpack, archive, target))
        clear(target)
        size = archive.stat().st_size
        alone_s = packing.wall_s + alone.wall_s
        totals = [alone_s + spread_s(size, line, machines) for line in LINES_GBIT]
        took = [f"{one.wall_s:.1f} s ({one.cpu_s:.1f})" for one in (packing, alone)]
        cells = [*took, *(f"{seconds:.1f} s" for seconds in totals)]
        table.add(name, f"{size / 1e6:.0f}", *cells)
        say(f"{name}: {', '.join(cells)}")
    wheels = sum(path.stat().st_size for path in (controller / "wheels").iterdir()) / 1e6
    clear(controller)
    return table, wheels


def ways_from(controller: Path) -> dict[str, Way]:
    """By name: how the controller packs, what comes of it, and how a machine unpacks that."""
    env: Words = [controller / "env.tar", "--directory", controller, "env"]
    return {
        "tar of the environment": (
            lambda: run(["tar", "-cf", *env]),
            controller / "env.tar",
            lambda archive, target: run(["tar", "-xf", archive, "-C", target]),
        ),
        "tar and `zstd -1`": (
            lambda: compress(env, controller / "env.tar"),
            controller / "env.tar.zst",
            lambda archive, target: run(["tar", "-I", "zstd", "-xf", archive, "-C", target]),
        ),
        "wheels, installed by uv": (
            lambda: step(controller, "pack"),
            controller / "depot" / "environment.tar",
            install,
        ),
    }


def spread_s(size: int, line_gbit: float, machines: int) -> float:
    """Seconds until all machines have a file of `size` bytes, each with a line of its own."""
    once_s, have, generations = size * 8 / (line_gbit * 1e9), 1, 0
    while have < machines + 1:
        have += TRANSFERS * have
        generations += 1
    return once_s * TRANSFERS * generations


if __name__ == "__main__":
    run_alone(measure)
