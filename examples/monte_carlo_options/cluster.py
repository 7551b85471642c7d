"""Blocks on the engines of any ipyparallel cluster, which need numpy but not this package."""

import math
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path
from typing import Any

import ipyparallel as ipp

from . import block
from .block import Moments, Task
from .tree import Range, cut

# How often a task lost with its engine is given to another one.
RETRIES = 3
# Tasks under way for each engine: enough that none waits for a client far away.
TASKS_PER_ENGINE = 4
# The longest task: what is lost with an engine, and how often the progress bar moves.
TASK_LIMIT_S = 5.0
TRIALS = 64
# Engines that died may be replaced; without any for so long, nobody will do the work.
NO_ENGINE_S = 60.0

Done = tuple[str, int, Moments]  # arithmetic, first block, what was computed


def task_blocks(n_engines: int, n_blocks: int, block_s: float, overhead_s: float) -> int:
    """How many blocks, a power of two, make a task.

    With tasks of L seconds, of work_s seconds in all, two things are lost: the scheduler hands
    out one task in overhead_s, so that of n engines n overhead_s / 2 L are idle; and at the end
    they wait for each other, for half a task: n L / 2 work_s. The sum is least at
    L = sqrt(overhead_s work_s).
    """
    work_s = n_blocks * block_s
    task_s = min(math.sqrt(overhead_s * work_s), work_s / n_engines, TASK_LIMIT_S)
    doublings = math.floor(math.log2(max(task_s / block_s, 1.0)) + 0.5)
    return 1 << doublings


def _on_engine(source: bytes, function: str, *arguments: Any) -> Any:
    """Call a function of block.py, whose source is run once in each engine.

    Travels by value: all that it uses is imported or defined inside it.
    """
    import hashlib
    import os
    import sys
    import types
    import zlib

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # each core has an engine of its own
    name = f"monte_carlo_options_{hashlib.sha256(source).hexdigest()[:16]}"
    if name not in sys.modules:
        module = sys.modules[name] = types.ModuleType(name)
        try:
            exec(compile(zlib.decompress(source), "block.py", "exec"), module.__dict__)  # noqa: S102
        except BaseException:
            del sys.modules[name]
            raise
    return getattr(sys.modules[name], function)(*arguments)


def _nothing() -> None:
    pass


class Engines:
    """A client's engines, looked at once: their arithmetic, a block's and a task's time.

    Raises NoEnginesRegistered if there are none, as the tasks would wait for ever; RemoteError if
    one can't do the work (no numpy, say).
    """

    def __init__(self, client: ipp.Client, task: Task) -> None:
        if not client.ids:
            raise ipp.error.NoEnginesRegistered()
        self._client, self._task = client, task
        # interactive() makes a function travel by value: an engine doesn't have this package.
        self._call: Callable[..., Any] = ipp.interactive(_on_engine)
        self._source = zlib.compress(Path(block.__file__).read_bytes())
        looks = self._look()
        self.hosts: dict[str, list[str]] = {}
        for arithmetic, host, _ in looks:
            self.hosts.setdefault(arithmetic, []).append(host)
        self.block_s = statistics.median(block_s for _, _, block_s in looks)
        self.overhead_s = self._measure_overhead()

    def _look(self) -> list[tuple[str, str, float]]:
        asked = [
            self._client[engine].apply_async(self._call, self._source, "look", self._task)
            for engine in self._client.ids
        ]
        looks = []
        for answer in asked:
            try:
                looks.append(answer.get())
            except ipp.error.EngineError:  # it died just now; the others may do
                continue
        if not looks:
            raise ipp.error.NoEnginesRegistered()
        return looks

    def _view(self) -> ipp.LoadBalancedView:
        # ipyparallel 9.2 never gives an engine a task that failed there: with a retry left after
        # all engines have failed (no memory, say), the task would wait for a new one for ever.
        return self._client.load_balanced_view(
            retries=max(0, min(RETRIES, len(self._client.ids) - 1))
        )

    def _measure_overhead(self) -> float:
        view, nothing = self._view(), ipp.interactive(_nothing)
        begin_s = time.perf_counter()
        for trial in [view.apply_async(nothing) for _ in range(TRIALS)]:
            trial.get()
        return (time.perf_counter() - begin_s) / TRIALS

    def run(self, gaps: Iterator[Range], n_blocks: int) -> Iterator[Done]:
        """Compute the gaps, `n_blocks` in all; yields in the order of completion.

        Raises RemoteError for a failure on an engine, EngineError if a task was lost with
        RETRIES engines, NoEnginesRegistered if none is left. Calls off what has not begun when
        it ends before its time.
        """
        longest = task_blocks(len(self._client.ids) or 1, n_blocks, self.block_s, self.overhead_s)
        pieces = cut(gaps, longest)
        view = self._view()
        under_way: dict[ipp.AsyncResult, Range] = {}
        try:
            while True:
                while len(under_way) < TASKS_PER_ENGINE * max(1, len(self._client.ids)):
                    piece = next(pieces, None)
                    if piece is None:
                        break
                    result = view.apply_async(self._call, self._source, "work", self._task, *piece)
                    under_way[result] = piece
                if not under_way:
                    return
                for result in self._wait(list(under_way)):
                    first, length = under_way.pop(result)
                    arithmetic, mean, squares = result.result()
                    self._client.purge_local_results(result)
                    # copies, as what ipyparallel returns are views of the whole message
                    yield arithmetic, first, Moments(length, mean.copy(), squares.copy())
        finally:
            if unfinished := [result for result in under_way if not result.done()]:
                view.abort(unfinished, block=False)

    def _wait(self, results: list[ipp.AsyncResult]) -> set[ipp.AsyncResult]:
        """Those that are done, at least one."""
        alone_since_s: float | None = None
        while True:
            done, _ = wait(results, timeout=1.0, return_when=FIRST_COMPLETED)
            if done:
                return done
            now_s = time.monotonic()
            alone_since_s = None if self._client.ids else alone_since_s or now_s
            if alone_since_s is not None and now_s - alone_since_s > NO_ENGINE_S:
                raise ipp.error.NoEnginesRegistered()
