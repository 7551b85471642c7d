"""Ranges of blocks: any order and any grouping lead to the same bits."""

import math

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options.block import Moments, price_blocks
from ipcluster_azure.examples.monte_carlo_options.cluster import task_blocks
from ipcluster_azure.examples.monte_carlo_options.task import Task
from ipcluster_azure.examples.monte_carlo_options.tree import Tree, cut

TASK = Task(
    method="plain",
    kernel="numpy",
    seed=1,
    carry=0.05,
    maturity_years=1.0,
    n_fixings=2,
    strikes=[0.9, 1.9],  # hardly any path reaches the second: means that differ by factors
    volatilities=[0.3],
    betas=[],
)


def added(pieces):
    tree = Tree()
    for first, n_blocks in pieces:
        tree.add(first, price_blocks(TASK, first, n_blocks))
    return tree


def assert_same_bits(one, other):
    assert one.n_blocks == other.n_blocks
    assert np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.squares, other.squares)


@pytest.mark.parametrize("n_blocks", [1, 2, 7, 8, 45, 64])
def test_the_same_bits_in_any_order_and_any_grouping(n_blocks):
    serial = added((block, 1) for block in range(n_blocks)).total()
    shuffle = np.random.default_rng(n_blocks).shuffle
    for longest in (1, 2, 16, 128):
        pieces = list(cut([(0, n_blocks)], longest))
        shuffle(pieces)
        assert_same_bits(added(pieces).total(), serial)


def test_the_same_bits_after_an_interruption():
    serial = added((block, 1) for block in range(45)).total()
    tree = added([(3, 1), (8, 8), (40, 2)])
    gaps = tree.missing(45)
    assert gaps == [(0, 3), (4, 4), (16, 24), (42, 3)]
    for first, n_blocks in cut(gaps, 4):
        tree.add(first, price_blocks(TASK, first, n_blocks))
    assert tree.missing(45) == []
    assert tree.n_blocks == 45
    assert_same_bits(tree.total(), serial)


def test_neighbours_are_merged_at_once():
    tree = added((block, 1) for block in reversed(range(64)))
    assert list(tree.nodes) == [0]


def test_the_order_of_arrival_does_not_matter_for_means_of_any_size():
    """Where merging left with right and right with left differ in the last bit."""
    random = np.random.default_rng(3)
    left, right = (
        Moments(1, 10.0 ** random.uniform(-4, 4, 1000), random.random(1000)) for _ in range(2)
    )
    trees = Tree(), Tree()
    for tree, order in zip(trees, ((0, 1), (1, 0)), strict=True):
        for first in order:
            tree.add(first, (left, right)[first])
    assert_same_bits(trees[0].total(), trees[1].total())


def test_every_block_and_every_seed_has_random_numbers_of_its_own():
    tasks = [TASK, {**TASK, "seed": 2}]
    means = [price_blocks(task, block, 1).mean[0, 0, 0] for task in tasks for block in range(64)]
    assert len(set(means)) == 128


def test_moments_are_those_of_the_blocks():
    means = np.stack([price_blocks(TASK, block, 1).mean for block in range(13)])
    total = added((block, 1) for block in range(13)).total()
    assert isinstance(total, Moments)
    np.testing.assert_allclose(total.mean, means.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(total.squares, 13 * means.var(axis=0), rtol=1e-10)


@pytest.mark.parametrize("gap", [(0, 1), (0, 100), (5, 59), (63, 2), (1000, 1)])
def test_pieces_cover_a_gap_once_and_are_aligned(gap):
    pieces = list(cut([gap], 16))
    covered = [block for first, length in pieces for block in range(first, first + length)]
    assert covered == list(range(gap[0], gap[0] + gap[1]))
    for first, length in pieces:
        assert length in (1, 2, 4, 8, 16)
        assert first % length == 0


@pytest.mark.parametrize("n_engines", [1, 8, 32, 128])
@pytest.mark.parametrize("work_s", [0.01, 1.0, 60.0, 3600.0])
def test_tasks_are_about_as_long_as_is_best(n_engines, work_s):
    """Compared with all other powers of two, by the losses that the docstring states."""
    block_s, overhead_s = 0.005, 0.0033
    n_blocks = math.ceil(work_s / block_s)

    def loss(blocks):
        task_s = blocks * block_s
        return n_engines * overhead_s / (2 * task_s) + n_engines * task_s / (2 * work_s)

    chosen = task_blocks(n_engines, n_blocks, block_s, overhead_s)
    possible = [2**k for k in range(20) if 2**k * block_s <= min(5.0, work_s / n_engines)]
    assert loss(chosen) <= 1.1 * min(map(loss, possible or [1]))
