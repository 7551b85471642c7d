"""Runs that are interrupted, killed, extended, or confronted with another processor's blocks."""

import os
import subprocess
import sys

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options import checkpoint as checkpoint_module
from ipcluster_azure.examples.monte_carlo_options import run as run_module
from ipcluster_azure.examples.monte_carlo_options.checkpoint import CheckpointError
from ipcluster_azure.examples.monte_carlo_options.model import PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.paths import PATHS_PER_BLOCK
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface
from tqdm import tqdm

ARGUMENTS = (Model(n_fixings=20), [90.0, 110.0], [0.1, 0.4], 100 * PATHS_PER_BLOCK)


class Interrupted(BaseException):
    pass


def assert_same_bits(one, other):
    assert one.n_blocks == other.n_blocks
    for payoff in PAYOFFS:
        assert np.array_equal(one.prices[payoff], other.prices[payoff])
        assert np.array_equal(one.standard_errors[payoff], other.standard_errors[payoff])


def interrupt(n_calls, *arguments, **options):
    original, calls = run_module.price_blocks, iter(range(1000))

    def interrupted(*args):
        if next(calls) == n_calls:
            raise Interrupted
        return original(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "price_blocks", interrupted)
        with pytest.raises(Interrupted):
            price_surface(*arguments, **options)


def counted_run(*arguments, **options):
    """How many blocks a run computes, and its surface."""
    original, counted = run_module.price_blocks, []

    def counting(task, first, n_blocks):
        counted.append(n_blocks)
        return original(task, first, n_blocks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "price_blocks", counting)
        surface = price_surface(*arguments, **options)
    return sum(counted), surface


def test_an_interrupted_run_computes_the_missing_blocks_alone(tmp_path):
    whole = price_surface(*ARGUMENTS)
    interrupt(5, *ARGUMENTS, checkpoint=tmp_path)
    n_blocks, resumed = counted_run(*ARGUMENTS, checkpoint=tmp_path)
    assert n_blocks == 60
    assert_same_bits(resumed, whole)
    n_blocks, again = counted_run(*ARGUMENTS, checkpoint=tmp_path)
    assert n_blocks == 0
    assert_same_bits(again, whole)
    assert again.arithmetic == whole.arithmetic
    assert len(list(tmp_path.iterdir())) == 1


def test_the_bar_of_a_resumed_run_begins_with_what_is_there(tmp_path, monkeypatch):
    """So that its speed is that of the paths computed now."""
    bars = []

    class Bar(tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            bars.append(self)

    monkeypatch.setattr(run_module, "tqdm", Bar)
    interrupt(5, *ARGUMENTS, checkpoint=tmp_path)
    price_surface(*ARGUMENTS, checkpoint=tmp_path, progress=True)
    _, bar = bars
    assert bar.initial == 40 * PATHS_PER_BLOCK
    assert bar.n == bar.total == 100 * PATHS_PER_BLOCK


def test_a_resumed_run_ends_in_the_same_round(tmp_path):
    arguments = (*ARGUMENTS[:3], 1e7)
    wanted = {"standard_error": 0.02, "method": "control"}
    whole = price_surface(*arguments, **wanted)
    assert whole.n_blocks > 200
    for n_calls in (3, 8, 14):
        folder = tmp_path / str(n_calls)
        interrupt(n_calls, *arguments, **wanted, checkpoint=folder)
        assert_same_bits(price_surface(*arguments, **wanted, checkpoint=folder), whole)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"method": "control"},
        {"n_paths": 101 * PATHS_PER_BLOCK},
        {"strikes": [90.0, 110.5]},
        {"volatilities": [0.1, 0.5]},
        {"model": Model(n_fixings=21)},
        {"model": Model(n_fixings=20, rate=0.06)},
        {"standard_error": 1e-9},
    ],
)
def test_another_configuration_has_another_file(tmp_path, change):
    names = ("model", "strikes", "volatilities", "n_paths")
    arguments = dict(zip(names, ARGUMENTS, strict=True))
    price_surface(**arguments, checkpoint=tmp_path)
    other = counted_run(**{**arguments, **change}, checkpoint=tmp_path)
    assert other[0] >= 100
    assert_same_bits(other[1], price_surface(**{**arguments, **change}))
    assert len(list(tmp_path.iterdir())) == 2


def test_other_code_has_another_file(tmp_path, monkeypatch):
    price_surface(*ARGUMENTS, checkpoint=tmp_path)
    monkeypatch.setattr(checkpoint_module, "block_source", lambda: b"other")
    price_surface(*ARGUMENTS, checkpoint=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"rubbish", "truncated"])
def test_a_damaged_file_is_named(tmp_path, content):
    price_surface(*ARGUMENTS, checkpoint=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-300] if content == "truncated" else content)
    with pytest.raises(CheckpointError, match=f"{file.name} can't be read.*delete it"):
        price_surface(*ARGUMENTS, checkpoint=tmp_path)


def test_blocks_of_another_processor_are_refused_or_said(tmp_path, another_processor):
    interrupt(5, *ARGUMENTS, checkpoint=tmp_path)
    (file,) = tmp_path.iterdir()
    code = (
        "import sys; from pathlib import Path;"
        "from ipcluster_azure.examples.monte_carlo_options import Model, price_surface;"
        f"surface = price_surface(Model(n_fixings=20), [90.0, 110.0], [0.1, 0.4], "
        f"{ARGUMENTS[3]}, checkpoint={str(tmp_path)!r}, mixed='mixed' in sys.argv);"
        "print(*surface.arithmetic)"
    )

    def other_processor(*args):
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            env={**os.environ, **another_processor},
            capture_output=True,
            text=True,
            timeout=60,
        )

    before = file.read_bytes()
    refused = other_processor()
    assert refused.returncode == 1
    assert "MixedArithmetic" in refused.stderr
    assert str(file) in refused.stderr
    assert file.read_bytes() == before
    allowed = other_processor("mixed")
    assert allowed.returncode == 0, allowed.stderr
    assert len(allowed.stdout.split()) == 2
    # The blocks are all there now; whoever reads them learns what they are.
    assert len(price_surface(*ARGUMENTS, checkpoint=tmp_path).arithmetic) == 2
