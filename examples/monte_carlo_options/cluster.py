"""Blocks on the engines of any ipyparallel cluster, which need numpy but not this package."""

import json
import math
import statistics
import time
import zlib
from collections.abc import Callable, Collection, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path
from typing import Any

import ipyparallel as ipp

from .block import Moments
from .task import Task
from .tree import Range, cut

# Sent to the engines; each may import those before it.
BLOCK_MODULES = ("task", "normals", "compiled", "paths", "preintegration", "asian", "block")
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


def block_source() -> bytes:
    """block.py and what it imports, as the engines are sent it: compressed JSON, name to text."""
    folder = Path(__file__).parent
    texts = {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in BLOCK_MODULES}
    return zlib.compress(json.dumps(texts).encode())


def _on_engine(source: bytes, function: str, *arguments: Any) -> Any:
    """Call a function of block.py, whose source is run once in each engine, as a package.

    Travels by value: all that it uses is imported or defined inside it.
    """
    import hashlib
    import json
    import os
    import sys
    import types
    import zlib

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # each core has an engine of its own
    package = f"monte_carlo_options_{hashlib.sha256(source).hexdigest()[:16]}"
    if package not in sys.modules:
        for name, text in json.loads(zlib.decompress(source)).items():
            module = sys.modules[f"{package}.{name}"] = types.ModuleType(f"{package}.{name}")
            exec(compile(text, f"{name}.py", "exec"), module.__dict__)  # noqa: S102
        sys.modules[package] = types.ModuleType(package)
    return getattr(sys.modules[f"{package}.block"], function)(*arguments)


def _nothing() -> None:
    pass


class Engines:
    """Some or all of a client's engines, looked at once: arithmetic, a block's and a task's time.

    `source`: of other modules than block_source() says; the last is called block as well.

    Raises NoEnginesRegistered if there are none, as the tasks would wait for ever; RemoteError if
    one can't do the work (no numpy, say).
    """

    def __init__(
        self,
        client: ipp.Client,
        task: Task,
        engines: "Collection[int] | None" = None,
        source: bytes | None = None,
    ) -> None:
        self._client, self._task, self._chosen = client, task, engines
        if not self._ids():
            raise ipp.error.NoEnginesRegistered()
        # interactive() makes a function travel by value: an engine doesn't have this package.
        self._call: Callable[..., Any] = ipp.interactive(_on_engine)
        self._source = source or block_source()
        looks = self._look()
        self.hosts: dict[str, list[str]] = {}
        for arithmetic, host, _ in looks:
            self.hosts.setdefault(arithmetic, []).append(host)
        self.block_s = statistics.median(block_s for _, _, block_s in looks)
        self.overhead_s = self._measure_overhead()

    def _ids(self) -> list[int]:
        """Those that may work and are registered now."""
        return [i for i in self._client.ids if self._chosen is None or i in self._chosen]

    def _look(self) -> list[tuple[str, str, float]]:
        asked = [
            self._client[engine].apply_async(self._call, self._source, "look", self._task)
            for engine in self._ids()
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
        targets = None if self._chosen is None else self._ids()
        retries = max(0, min(RETRIES, len(self._ids()) - 1))
        return self._client.load_balanced_view(targets, retries=retries)

    def _measure_overhead(self) -> float:
        view, nothing = self._view(), ipp.interactive(_nothing)
        begin_s = time.perf_counter()
        for trial in [view.apply_async(nothing) for _ in range(TRIALS)]:
            trial.get()
        return (time.perf_counter() - begin_s) / TRIALS

    def run(self, gaps: Iterable[Range], n_blocks: int) -> Generator[Done, None, None]:
        """Compute the gaps, `n_blocks` in all; yields in the order of completion.

        Raises RemoteError for a failure on an engine, EngineError if a task was lost with
        RETRIES engines, NoEnginesRegistered if none is left. Calls off what has not begun when
        it ends before its time.
        """
        longest = task_blocks(len(self._ids()) or 1, n_blocks, self.block_s, self.overhead_s)
        pieces = cut(gaps, longest)
        view = self._view()
        under_way: dict[ipp.AsyncResult, Range] = {}
        try:
            while True:
                while len(under_way) < TASKS_PER_ENGINE * max(1, len(self._ids())):
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
            alone_since_s = None if self._ids() else alone_since_s or now_s
            if alone_since_s is not None and now_s - alone_since_s > NO_ENGINE_S:
                raise ipp.error.NoEnginesRegistered()
