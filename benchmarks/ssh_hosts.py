"""Starting engines on hosts that answer over SSH: this project against ipyparallel's SSH launcher.

    python -m benchmarks.ssh_hosts [--hosts 8 32] [--rounds 5] [--ssh-rounds 2]

The same controller and the same kind of machines for both. On more than 8 hosts the SSH launcher
takes minutes, and is run --ssh-rounds times. Needs `ssh` and `scp`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .clusters import Home, Talk, home
from .report import Section, Table, at_least, figure, in_turns, run_alone

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
{ssh_rounds} times only. All hosts share this computer's cores, and the engines' own imports take
most of this project's time.
"""


def measure(hosts: tuple[int, ...] = (8, 32), rounds: int = 5, ssh_rounds: int = 2) -> Section:
    if shutil.which("ssh") is None or shutil.which("scp") is None:
        raise SystemExit("ssh and scp are needed; on Debian and Ubuntu: apt install openssh-client")
    table = Table(("hosts", "this project", "SSHEngineSetLauncher", "ratio"))
    for n in hosts:
        found = on_hosts(n, rounds, rounds if n <= FEW else ssh_rounds)
        ours, theirs = figure(found["this project"]), figure(found["SSH launcher"])
        ratio = theirs.median / ours.median
        goal = at_least(ratio, TIMES_FASTER, "times faster") if n == JUDGED else None
        table.add(n, ours, theirs, f"{ratio:.1f}", goal=goal)
    how = HOW.format(few=FEW, ssh_rounds=ssh_rounds)
    return Section("ssh_hosts", "Starting engines on SSH hosts", how, [table])


def on_hosts(n: int, rounds: int, ssh_rounds: int) -> dict[str, list[float]]:
    with home() as place:
        place.configure(engines_per_vm=1)
        with place.talking("our_engines", str(n)) as cluster:
            (set_id,) = cluster.answer()["engine_sets"]
            addresses, configuration = ssh_access(place, set_id)
            ours = {"this project": lambda _: start_set(cluster)}
            theirs = {"SSH launcher": lambda _: by_ssh(place, configuration, addresses)}
            found = in_turns({**ours, **theirs}, ssh_rounds)
            more = in_turns(ours, rounds, first=ssh_rounds)
    return {**found, "this project": found["this project"] + more["this project"]}


def ssh_access(place: Home, set_id: str) -> tuple[list[str], Path]:
    """The machines' addresses, and a configuration with which `ssh` may log in."""
    record = json.loads((place.security / "azure-.json").read_text())
    configuration = place.folder / "ssh_config"
    text = SSH_CONFIGURATION.format(
        user=record["plan"]["machine"]["admin_username"],
        port=record["plan"]["ssh_port"],
        key=place.security / "azure-.key",
    )
    configuration.write_text(text)
    return [
        machine["address"] for machine in record["engine_sets"][set_id]["machines"]
    ], configuration


def start_set(cluster: Talk) -> float:
    cluster.go_on()
    took_s = float(cluster.answer()["took_s"])
    cluster.answer()  # stopped
    return took_s


def by_ssh(place: Home, configuration: Path, addresses: list[str]) -> float:
    output = place.python("ssh_launcher", str(configuration), *addresses)
    return float(json.loads(output.splitlines()[-1])["took_s"])


if __name__ == "__main__":
    run_alone(measure)
