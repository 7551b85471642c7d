"""A run from the first block to the last: rounds, engines or this process, checkpoint."""

import math
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import ipyparallel as ipp
from tqdm import tqdm

from .block import arithmetic, price_blocks
from .checkpoint import Checkpoint, State
from .closed_form import carry, european_beta
from .cluster import Done, Engines
from .estimates import Estimator
from .model import FloatArray, Model
from .paths import PATHS_PER_BLOCK
from .task import Task
from .tree import cut

SERIAL_BLOCKS = 8  # at a time; then the bar moves


class MixedArithmetic(Exception):
    """Blocks come, or would come, from processors whose results differ in the last bits."""


class Run:
    """A checked order, with positive volatilities only."""

    def __init__(
        self,
        model: Model,
        strikes: FloatArray,
        volatilities: FloatArray,
        method: str,
        kernel: str,
        n_blocks: int,
        standard_error: float | None,
        seed: int,
    ) -> None:
        self.estimator = Estimator(model, strikes, volatilities, method)
        self._n_blocks, self._standard_error = n_blocks, standard_error
        self._task = Task(
            method=method,
            kernel=kernel,
            seed=seed,
            carry=carry(model),
            maturity_years=model.maturity_years,
            n_fixings=model.n_fixings,
            strikes=(strikes / model.spot).tolist(),
            volatilities=volatilities.tolist(),
            betas=european_beta(model, strikes, volatilities).tolist()
            if method == "control"
            else [],
        )
        self._configuration = [asdict(model), self._task, n_blocks, standard_error]

    def to_the_end(
        self,
        client: "ipp.Client | None",
        chosen: "Collection[int] | None",
        folder: "Path | str | None",
        mixed: bool,
        progress: bool,
    ) -> State:
        """Compute what the checkpoint in `folder` lacks; see price_surface for the rest."""
        checkpoint = None if folder is None else Checkpoint(Path(folder), self._configuration)
        state = checkpoint.load() if checkpoint else State()
        if self._finished(state):
            return state
        engines = None if client is None else Engines(client, self._task, chosen)
        hosts = engines.hosts if engines else {arithmetic(self._task["kernel"]): ["this computer"]}
        if not mixed:
            _refuse_mixture(state.arithmetic, hosts, checkpoint)
        with (
            tqdm(
                unit="path",
                unit_scale=True,
                disable=not progress,
                initial=state.tree.n_blocks * PATHS_PER_BLOCK,  # what no time was spent on
            ) as bar,
            # closed at once, whatever happens: it calls off the tasks that have not begun
            closing(self._rounds(state, engines, bar)) as results,
        ):
            try:
                for origin, first, moments in results:
                    if not mixed and origin not in hosts:
                        hosts = {**hosts, origin: ["an engine that joined"]}
                        _refuse_mixture(state.arithmetic, hosts, checkpoint)
                    state.arithmetic.add(origin)
                    state.tree.add(first, moments)
                    if checkpoint:
                        checkpoint.save(state, now=False)
            finally:
                if checkpoint:
                    checkpoint.save(state, now=True)
        return state

    def _rounds(
        self, state: State, engines: Engines | None, bar: "tqdm[NoReturn]"
    ) -> Generator[Done, None, None]:
        """Round after round, until `state`, to which the caller adds what it gets, is enough."""
        while not self._finished(state):
            state.goal = self._next_goal(state)
            bar.total = state.goal * PATHS_PER_BLOCK
            bar.refresh()
            with closing(self._round(state, engines)) as results:
                for done in results:
                    yield done
                    bar.update(done[2].n_blocks * PATHS_PER_BLOCK)

    def _round(self, state: State, engines: Engines | None) -> Generator[Done, None, None]:
        """What the round lacks, from the engines or this process, in any order."""
        gaps = state.tree.missing(state.goal)
        if engines:
            return engines.run(gaps, state.goal - state.tree.n_blocks)
        return (
            (arithmetic(self._task["kernel"]), first, price_blocks(self._task, first, n_blocks))
            for first, n_blocks in cut(gaps, SERIAL_BLOCKS)
        )

    def _finished(self, state: State) -> bool:
        if state.goal == 0 or state.tree.n_blocks < state.goal:
            return False
        return state.goal == self._n_blocks or self._excess(state) <= 1

    def _excess(self, state: State) -> float:
        """The largest standard error, in units of the wanted one."""
        _, errors, _ = self.estimator.prices(state.tree.total())
        return float(errors.max()) / (self._standard_error or math.inf)

    def _next_goal(self, state: State) -> int:
        """How many blocks this round has; the first of the fixed rounds that may be enough."""
        if state.tree.n_blocks < state.goal:
            return state.goal  # of a round that was interrupted
        if self._standard_error is None:
            return self._n_blocks
        enough = min(state.goal * self._excess(state) ** 2, self._n_blocks) if state.goal else 0
        return next(goal for goal in rounds(self._n_blocks) if goal > state.goal and goal >= enough)


def rounds(n_blocks: int) -> Iterator[int]:
    """32, 40, 48, 56, 64, 80... blocks; `n_blocks` is the last."""
    step = 8
    while True:
        for quarter in range(4, 8):
            if quarter * step >= n_blocks:
                yield n_blocks
                return
            yield quarter * step
        step *= 2


def _refuse_mixture(
    earlier: set[str], hosts: Mapping[str, list[str]], checkpoint: Checkpoint | None
) -> None:
    if len(earlier | set(hosts)) < 2:
        return
    parts = [f"{', '.join(sorted(set(names)))}: {key}" for key, names in hosts.items()]
    if earlier and checkpoint:
        parts.append(f"blocks in {checkpoint.path}: {', '.join(sorted(earlier))}")
    raise MixedArithmetic(
        "these compute with different last bits, so no run could repeat the result exactly: "
        f"{'; '.join(parts)}. Use machines of one kind, with one version of numpy"
        f"{', or another checkpoint' if earlier else ''}; or allow it with mixed=True "
        "(--mixed): prices then agree to some 1e-6"
    )
