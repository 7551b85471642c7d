"""Prices with the mean driver integrated out: what a trader would look for in them."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options import asian, paths, preintegration
from ipcluster_azure.examples.monte_carlo_options.closed_form import black_scholes
from ipcluster_azure.examples.monte_carlo_options.model import PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.paths import PATHS_PER_BLOCK
from ipcluster_azure.examples.monte_carlo_options.recursion import asian_by_recursion
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface
from ipcluster_azure.examples.monte_carlo_options.task import Task

from tests.complete import variant

ASIAN = PAYOFFS[2:]
GRIDS = {
    "close strikes": (np.linspace(90, 110, 81), np.array([0.1, 0.25, 0.4])),
    "wide": (np.linspace(60, 140, 17), np.linspace(0.05, 0.5, 10)),
}
# Of nine cells: model, strike, volatility
CELLS = {
    "at the money": (Model(n_fixings=52), 100, 0.25),
    "strike 60": (Model(n_fixings=52), 60, 0.25),
    "strike 140": (Model(n_fixings=52), 140, 0.25),
    "volatility 5 %": (Model(n_fixings=52), 100, 0.05),
    "volatility 100 %": (Model(n_fixings=52), 140, 1.0),
    "four days": (Model(maturity_years=0.01, n_fixings=4), 100, 0.25),
    "ten years": (Model(maturity_years=10, n_fixings=40), 100, 0.25),
    "2 fixings": (Model(n_fixings=2), 100, 0.25),
    "1,000 fixings": (Model(n_fixings=1000), 100, 0.25),
}
QUICK = ("at the money", "strike 60", "volatility 5 %", "2 fixings")


def task_of(model, strikes, volatilities, **changes):
    return Task(
        **{
            "method": "preintegration",
            "kernel": "numpy",
            "seed": 3,
            "carry": model.rate - model.dividend_yield,
            "maturity_years": model.maturity_years,
            "n_fixings": model.n_fixings,
            "strikes": strikes,
            "volatilities": volatilities,
            "betas": [],
            **changes,
        }
    )


def exact_prices(model, strikes, volatilities):
    european = black_scholes(model, strikes, volatilities)
    return dict(
        zip(PAYOFFS, (*european, *asian_by_recursion(model, strikes, volatilities)), strict=True)
    )


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=variant)])
def test_no_butterfly_has_the_wrong_sign_and_nothing_falls_with_volatility(grid, seed):
    """Neither does any price rise with the wrong side's strike, nor is any negative."""
    strikes, volatilities = GRIDS[grid]
    surface = price_surface(Model(n_fixings=52), strikes, volatilities, 60_000, seed=seed)
    for payoff, prices in surface.prices.items():
        slopes = np.diff(prices, axis=0)
        assert prices.min() > -1e-12
        assert (slopes if payoff.endswith("put") else -slopes).min() > -1e-12
        assert np.diff(slopes, axis=0).min() > -1e-12
        assert np.diff(prices, axis=1).min() > -1e-12


def test_every_cell_is_right_within_its_own_error():
    strikes, volatilities = GRIDS["wide"]
    model = Model(dividend_yield=0.02, n_fixings=52)
    surface = price_surface(model, strikes, volatilities, 100_000, seed=5)
    for payoff, exact in exact_prices(model, strikes, volatilities).items():
        deviation = np.abs(surface.prices[payoff] - exact)
        assert (deviation < 5 * surface.standard_errors[payoff] + 2e-8).all()
        assert deviation.max() < 1e-4


def test_errors_of_neighbours_go_together():
    """Standard errors of differences say the same as the spread over many seeds."""
    strikes = [100.0, 100.25, 101.0, 102.0]
    runs = [
        price_surface(Model(n_fixings=26), strikes, 0.25, 8192, seed=seed) for seed in range(60)
    ]
    prices = np.array([run.prices["asian_call"][:, 0] for run in runs])
    correlation = np.corrcoef(prices.T)[0]
    assert correlation[1] > 0.99
    assert correlation[2] > 0.95
    spread = prices.std(axis=0)
    difference = (prices[:, 2] - prices[:, 0]).std()
    assert difference < 0.2 * spread[0]
    promised = np.mean([run.difference_errors["asian_call"][:, 0] for run in runs], axis=0)
    np.testing.assert_allclose(promised, np.diff(prices, axis=1).std(axis=0), rtol=0.35)
    assert runs[0].difference_errors["asian_put"].shape == (3, 1)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("name", "n_seeds"),
    [(name, 60) for name in QUICK] + [pytest.param(name, 200, marks=variant) for name in CELLS],
)
def test_intervals_cover_the_price_in_95_of_100_runs(name, n_seeds):
    model, strike, volatility = CELLS[name]
    exact = exact_prices(model, strike, volatility)
    covered = dict.fromkeys(PAYOFFS, 0)
    for seed in range(n_seeds):
        run = price_surface(model, strike, volatility, 16 * PATHS_PER_BLOCK, seed=seed)
        for payoff, half_width in run.half_widths().items():
            covered[payoff] += bool(np.abs(run.prices[payoff] - exact[payoff]) <= half_width)
    least, most = (0.90, 0.98) if n_seeds == 200 else (0.85, 1.0)
    for payoff in PAYOFFS:
        assert least <= covered[payoff] / n_seeds <= most, covered


EXTREMES = [
    (Model(maturity_years=10, n_fixings=52), [60, 100, 140], [0.05, 0.5, 1.0]),
    (Model(rate=0.5, n_fixings=52), [60, 100, 140], [0.001, 0.1, 1.0]),
    (Model(n_fixings=1), [60, 100, 140], [0.05, 1.0]),
    (Model(n_fixings=3), [10, 100, 1000], [0.25, 2.0]),
    (Model(n_fixings=52), [1e-3, 100, 1e4], [1.0, 4.0]),
]


@pytest.mark.parametrize(("model", "strikes", "volatilities"), EXTREMES)
def test_extremes_are_right_within_their_errors(model, strikes, volatilities):
    surface = price_surface(model, strikes, volatilities, 60_000, seed=2)
    exact = exact_prices(model, strikes, volatilities)
    for payoff in ASIAN:
        deviation = np.abs(surface.prices[payoff] - exact[payoff])
        assert (deviation < 5 * surface.standard_errors[payoff] + 1e-6).all()


@pytest.mark.parametrize("n_fixings", [2, 5, 260])
def test_the_controls_have_the_expectations_that_are_subtracted(n_fixings):
    task = task_of(Model(maturity_years=2.0, n_fixings=n_fixings), [1.0], [0.25])
    driver = preintegration.Driver.of(task)
    expected = asian._expected_controls(driver)
    found = [
        asian._controls(driver, motions)
        for seed in range(40)
        for motions in asian._bridges(driver, task, np.random.Generator(np.random.SFC64(seed)))
    ]
    values = np.concatenate(found, axis=1)
    errors = values.std(axis=1) / math.sqrt(values.shape[1])
    assert (np.abs(values.mean(axis=1) - expected) < 4.5 * errors + 1e-9).all()


def test_the_remainder_does_not_depend_on_the_mean():
    """B, of which the mean over the fixings is zero; its covariance with any date's W - B, too."""
    task = task_of(Model(n_fixings=7), [1.0], [0.25])
    driver = preintegration.Driver.of(task)
    random, same = (np.random.Generator(np.random.SFC64(4)) for _ in range(2))
    walk = next(paths.walks(task, random)).copy()
    (motions,) = asian._bridges(driver, task, same)
    assert np.abs(motions.mean(axis=0)).max() < 1e-6
    mean = walk.mean(axis=0)
    np.testing.assert_allclose(
        walk - motions, np.outer(driver.on_mean / driver.deviation, mean), atol=1e-6
    )
    covariance = np.minimum.outer(driver.years, driver.years)
    on_mean = covariance.mean(axis=0) / math.sqrt(covariance.mean())
    np.testing.assert_allclose(driver.on_mean, on_mean, rtol=1e-12)


def test_an_integral_is_what_a_fine_sum_over_the_mean_is():
    strikes = [0.8, 1.0, 1.2]
    task = task_of(Model(n_fixings=12), strikes, [0.4])
    driver = preintegration.Driver.of(task)
    (motions,) = asian._bridges(driver, task, np.random.Generator(np.random.SFC64(1)))
    part = preintegration.make_slice(task, driver, 0.4)
    found = preintegration.integrate(task, part, motions)[:, :50]
    z = np.linspace(-8, 8, 40_001)[:, None]
    drift = (0.05 - 0.4**2 / 2) * driver.years
    geometric = np.exp(0.4 * driver.deviation * z + drift.mean())
    for p in range(0, 50, 10):
        move = drift + 0.4 * (driver.on_mean * z + motions[:, p].astype(np.float64))
        average = np.exp(move).mean(axis=1, keepdims=True)
        for k, strike in enumerate(strikes):
            gain = np.maximum(average - strike, 0) * (geometric < strike)
            density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
            exact = float((gain * density).sum() * 16 / 40_000)
            assert found[k, p] == pytest.approx(exact, rel=0.01, abs=1e-7)


def test_the_same_bits_with_any_number_of_threads_for_linear_algebra():
    code = (
        "from ipcluster_azure.examples.monte_carlo_options import Model, price_surface;"
        "surface = price_surface(Model(n_fixings=300), [90, 110], [.2, 1.5], 1);"
        "print(surface.prices['asian_call'].tobytes().hex())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": n_threads},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for n_threads in ("1", "4")
    ]
    assert outputs[0] == outputs[1] != ""
