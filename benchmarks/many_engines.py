"""500 engines on one controller whose soft limit of open files is the usual 1,024.

    python -m benchmarks.many_engines [--engines 500] [--limit 1024]

Real engines, forked by the agent; needs about 10 GB of memory for 500.
"""

from __future__ import annotations

import contextlib
import time

import psutil

from .agents import Agent, controller
from .report import Goal, Section, Table, run_alone, say

QUICK = {"engines": 40}
HOW = """
`vm_agent.py controller` is run by a shell with `ulimit -Sn {limit}`, and so is `vm_agent.py engines
--count={engines}`: real engines on one computer, registered with one hub with the heartbeat that
the launcher sets for that many. Each then returns one `apply`. One run; this is about whether it
works. An engine takes two open files of the controller's, so that 1,024 would end near 480 engines;
the agent raises the soft limit to the hard one.
"""


def measure(engines: int = 500, limit: int = 1024) -> Section:
    shell = ("sh", "-c", f'ulimit -Sn {limit}; exec "$@"', "sh")
    table = Table(("figure", "value"))
    with controller(engines, shell) as agent, agent.client() as client:
        began = time.perf_counter()
        agent.engines(engines, timeout_s=600)
        client.wait_for_engines(engines, timeout=60, interactive=False)
        registered_s = time.perf_counter() - began
        say(f"{engines} engines after {registered_s:.1f} s")
        answers = client[:].apply_sync(pow, 2, 10)
        answered_s = time.perf_counter() - began
        table.add("registered", f"{len(client.ids)}", goal=all_of(len(client.ids), engines))
        right = sum(answer == 1024 for answer in answers)
        table.add("returned one `apply`", f"{right}", goal=all_of(right, engines))
        table.add("time until all were registered", f"{registered_s:.1f} s")
        table.add("time until all had returned", f"{answered_s:.1f} s")
        add_controller(table, agent)
    how = HOW.format(engines=engines, limit=limit)
    return Section("many_engines", f"{engines} engines on one controller", how, [table])


def all_of(found: int, wanted: int) -> Goal:
    return Goal(f"{wanted}", found == wanted)


def add_controller(table: Table, agent: Agent) -> None:
    """Of the process that has the most files open: the hub's or a scheduler's."""
    main = psutil.Process(agent.run("status")["controller"]["pid"])
    processes = [main, *main.children(recursive=True)]
    busiest = max(processes, key=lambda process: process.num_fds())
    soft, _ = busiest.rlimit(psutil.RLIMIT_NOFILE)
    memory = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            memory += process.memory_full_info().pss
    table.add("open files of the controller's busiest process", str(busiest.num_fds()))
    table.add("its soft limit, as raised", str(soft))
    table.add("memory of the controller's processes (PSS)", f"{memory / 1e6:.0f} MB")


if __name__ == "__main__":
    run_alone(measure)
