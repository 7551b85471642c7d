"""What a run has computed so far, on disk, for a later run of the same configuration."""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from .block import Moments
from .cluster import block_source
from .tree import Tree

FORMAT = 1
SAVE_INTERVAL_S = 2.0


@dataclass
class State:
    """Which blocks are there, the round that they belong to, and what computed them."""

    tree: Tree = field(default_factory=Tree)
    goal: int = 0  # blocks of the round; 0 before the first
    arithmetic: set[str] = field(default_factory=set)


class CheckpointError(Exception):
    """A checkpoint can't be used; the message says which file and what to do."""


class Checkpoint:
    """One file in a folder, named by the configuration's hash; replaced as a whole.

    `configuration`: whatever the blocks depend on, as JSON knows it. The source of block.py is
    added, as other code makes other blocks. Raises OSError if the folder can't be made.
    """

    def __init__(self, folder: Path, configuration: object) -> None:
        source = hashlib.sha256(block_source()).hexdigest()
        self._text = json.dumps([FORMAT, source, configuration], sort_keys=True)
        key = hashlib.sha256(self._text.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"prices-{key}.npz"
        self._saved_s = time.monotonic()

    def load(self) -> State:
        """What was saved; empty if there is nothing. Raises CheckpointError for a damaged file."""
        if not self.path.exists():
            return State()
        try:
            # np.load would leave a damaged file open that it had opened itself
            with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                if str(file["configuration"]) != self._text:
                    raise ValueError("it is of another configuration")
                state = State(goal=int(file["goal"]), arithmetic=set(file["arithmetic"].tolist()))
                for first, n_blocks, mean, squares in zip(
                    file["first"], file["n_blocks"], file["mean"], file["squares"], strict=True
                ):
                    state.tree.add(int(first), Moments(int(n_blocks), mean, squares))
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise CheckpointError(
                f"the checkpoint {self.path} can't be read ({error}); delete it to begin anew"
            ) from error
        return state

    def save(self, state: State, *, now: bool) -> None:
        """Write, unless that was done a moment ago and need not be `now`."""
        if not state.tree.nodes or (not now and time.monotonic() - self._saved_s < SAVE_INTERVAL_S):
            return
        firsts = sorted(state.tree.nodes)
        nodes = [state.tree.nodes[first] for first in firsts]
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    configuration=self._text,
                    goal=state.goal,
                    arithmetic=_texts(state.arithmetic),
                    first=np.array(firsts),
                    n_blocks=np.array([node.n_blocks for node in nodes]),
                    mean=np.stack([node.mean for node in nodes]),
                    squares=np.stack([node.squares for node in nodes]),
                )
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        self._saved_s = time.monotonic()


def _texts(texts: Iterable[str]) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    return np.array(sorted(texts), dtype=np.str_)
