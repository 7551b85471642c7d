"""The pricer's tasks on many engines that only wait: what schedulers, client and cutting cost."""

from __future__ import annotations

import json
import time
import zlib

from examples.monte_carlo_options.cluster import Engines
from examples.monte_carlo_options.task import Task

from .agents import controller
from .report import Table, at_least, say

LEAST_EFFICIENCY = {32: 0.9, 128: 0.85}
BLOCK_S = 0.005  # that a waiting engine takes for a block
WAITING = """
import time
import numpy as np

def look(task):
    return "waiting", "here", task["maturity_years"]

def work(task, first, n_blocks):
    time.sleep(n_blocks * task["maturity_years"])
    return "waiting", np.zeros((2, 1, 1)), np.zeros((2, 1, 1))
"""


def _task() -> Task:
    """One that WAITING understands: a block takes as many seconds as the option has years."""
    return Task(
        method="plain",
        kernel="numpy",
        seed=0,
        carry=0.0,
        maturity_years=BLOCK_S,
        n_fixings=1,
        strikes=[1.0],
        volatilities=[0.2],
        betas=[],
    )


def scheduling(many: tuple[int, ...], seconds: float) -> Table:
    """Tasks that only wait, cut, sent and collected as those of a run are."""
    table = Table(
        ["engines", "a task's overhead", "a task", "all tasks on one engine", "took", "efficiency"]
    )
    for n_engines in many:
        say(f"starting {n_engines} engines")
        with controller(n_engines) as agent, agent.client() as client:
            # forked: twice as many processes of their own would be minutes of this computer's time
            agent.engines(n_engines, timeout_s=600)
            client.wait_for_engines(n_engines, timeout=60, interactive=False)
            source = zlib.compress(json.dumps({"block": WAITING}).encode())
            waiting = Engines(client, _task(), source=source)
            n_blocks = int(seconds * n_engines / BLOCK_S)
            begin_s = time.perf_counter()
            lengths = [done[2].n_blocks for done in waiting.run([(0, n_blocks)], n_blocks)]
            took_s = time.perf_counter() - begin_s
        work_s = n_blocks * BLOCK_S
        efficiency = work_s / (took_s * n_engines)
        table.add(
            n_engines,
            f"{1000 * waiting.overhead_s:.1f} ms",
            f"{max(lengths) * BLOCK_S:.2f} s",
            f"{work_s:.0f} s",
            f"{took_s:.1f} s",
            f"{efficiency:.2f}",
            goal=at_least(efficiency, LEAST_EFFICIENCY.get(n_engines, 0.0), digits=2),
        )
    return table
