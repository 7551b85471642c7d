"""Starting engines on hosts that answer over SSH: this project against ipyparallel's SSH launcher.

    python -m benchmarks.ssh_hosts [--hosts 8 32] [--rounds 5] [--ssh-rounds 2]

The same controller and the same kind of machines for both. On more than 8 hosts the SSH launcher
takes minutes, and is run --ssh-rounds times. Needs `ssh` and `scp`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import stand_in
from .clusters import Home, Talk, home
from .report import Figure, Section, Table, at_least, figure, in_turns, run_alone

QUICK = {"hosts": (2,), "rounds": 1, "ssh_rounds": 1}
TIMES_FASTER = 20.0
JUDGED, FEW = 32, 8
SSH_CONFIGURATION = """
Host *
    User {user}
    Port {port}
    IdentityFile {key}
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""
HOW = """
A cluster with one engine on each machine is started on the emulator, whose operations take no time.
Then its controller serves both sides. This project: `Cluster.start_engines` with a second engine
set, from the call until all engines are registered; that includes the request for the machines and
their boot. ipyparallel: `SSHEngineSetLauncher` with the machines of the first set as hosts, with
their key and the same Python, by OpenSSH's `ssh` and `scp`, from its start until a client sees all
engines. The engines of the first set are registered meanwhile, and idle. The SSH launcher starts
one host after the other, with about ten connections to each. On more than {few} hosts it was run
{ssh_rounds} times only.

All hosts share this computer's cores. "The engines' share" is the CPU time that the engines of this
project had used when they were registered, divided by the number of cores: no launcher can be
faster here, while hosts of their own would do that work at the same time. So the greatest number is
also measured without it: the hosts' Python is a script that answers at once as engines would
("no engines"), and the SSH launcher's clock stops when its start has returned. What is left is the
launchers' own work.
"""


@dataclass(frozen=True)
class Run:
    took_s: float
    cpu_s: float = 0.0


Sides = dict[str, Callable[[int], Run]]


def measure(hosts: tuple[int, ...] = (8, 32), rounds: int = 5, ssh_rounds: int = 2) -> Section:
    if shutil.which("ssh") is None or shutil.which("scp") is None:
        raise SystemExit("ssh and scp are needed; on Debian and Ubuntu: apt install openssh-client")
    columns = ("hosts", "this project", "the engines' share", "SSHEngineSetLauncher", "ratio")
    table = Table(columns)
    for n in hosts:
        times = rounds if n <= FEW else ssh_rounds
        ours, theirs = on_hosts(n, rounds, times, engines=True)
        share = figure(run.cpu_s / len(os.sched_getaffinity(0)) for run in ours)
        add(table, str(n), ours, str(share), theirs, judged=n == JUDGED)
    ours, theirs = on_hosts(max(hosts), rounds, ssh_rounds, engines=False)
    add(table, f"{max(hosts)}, no engines", ours, "", theirs, judged=max(hosts) == JUDGED)
    how = HOW.format(few=FEW, ssh_rounds=ssh_rounds)
    return Section("ssh_hosts", "Starting engines on SSH hosts", how, [table])


def add(
    table: Table, what: str, ours: list[Run], share: str, theirs: list[Run], *, judged: bool
) -> None:
    mine, others = times_of(ours), times_of(theirs)
    ratio = others.median / mine.median
    goal = at_least(ratio, TIMES_FASTER, "times faster") if judged else None
    table.add(what, mine, share, others, f"{ratio:.1f}", goal=goal)


def times_of(runs: list[Run]) -> Figure:
    return figure(run.took_s for run in runs)


def on_hosts(n: int, rounds: int, ssh_rounds: int, *, engines: bool) -> tuple[list[Run], list[Run]]:
    """This project's runs, and the SSH launcher's."""
    with home() as place:
        python = Path(sys.executable) if engines else stand_in.write(place)
        place.configure(1, stand_in.setting(python))
        with place.talking("our_engines", str(n)) as cluster:
            (set_id,) = cluster.answer()["engine_sets"]
            by_ssh = ["ssh_launcher", *ssh_access(place, python, set_id)]
            ours: Sides = {"this project": lambda _: start_set(cluster)}
            theirs: Sides = {"SSH launcher": partial(start_by_ssh, place, by_ssh)}
            found = in_turns({**ours, **theirs}, ssh_rounds)
            more = in_turns(ours, rounds, first=ssh_rounds)
    return found["this project"] + more["this project"], found["SSH launcher"]


def ssh_access(place: Home, python: Path, set_id: str) -> list[str]:
    """What ssh_launcher.py is told: how `ssh` may log in, and where."""
    record = json.loads((place.security / "azure-.json").read_text())
    configuration = place.folder / "ssh_config"
    text = SSH_CONFIGURATION.format(
        user=record["plan"]["machine"]["admin_username"],
        port=record["plan"]["ssh_port"],
        key=place.security / "azure-.key",
    )
    configuration.write_text(text)
    machines = record["engine_sets"][set_id]["machines"]
    return [str(configuration), str(python), *(machine["address"] for machine in machines)]


def start_set(cluster: Talk) -> Run:
    cluster.go_on()
    report = cluster.answer()
    cluster.answer()  # stopped
    return Run(report["took_s"], report["cpu_s"])


def start_by_ssh(place: Home, words: list[str], _: int) -> Run:
    report = json.loads(place.python(*words).splitlines()[-1])
    return Run(report.get("registered_s", report["started_s"]))


if __name__ == "__main__":
    run_alone(measure)
