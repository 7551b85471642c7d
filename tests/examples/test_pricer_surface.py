"""Prices and standard errors of the plain method, computed in this process."""

import math

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options import surface as surface_module
from ipcluster_azure.examples.monte_carlo_options.model import (
    PATHS_PER_BLOCK,
    PAYOFFS,
    Model,
    black_scholes,
)
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface, split_into_tasks

STRIKES = [90.0, 100.0, 110.0]
VOLATILITIES = [0.10, 0.25, 0.40]
# (row, column): European call, European put, Asian call, Asian put
REFERENCE = {
    (1, 1): (12.335999, 7.458941, 6.873201, 4.445613),
    (0, 0): (14.628838, 0.239486, 11.960844, 0.020962),
    (2, 2): (14.004257, 18.639494, 6.301015, 13.385721),
}


def asian_parity(model, strikes):
    """Value of an Asian call minus its put: S/n sum_i e^{(r-q) T i/n} - K, discounted."""
    dates = model.maturity_years * np.arange(1, model.n_fixings + 1) / model.n_fixings
    average = model.spot * np.exp((model.rate - model.dividend_yield) * dates).mean()
    return model.discount * (average - np.asarray(strikes))[:, None]


def european_parity(model, strikes):
    call, put = black_scholes(model, strikes, 0.0)
    return call - put


@pytest.fixture(scope="module")
def reference_surface():
    return price_surface(Model(), STRIKES, VOLATILITIES, 120_000, seed=20)


@pytest.mark.parametrize("cell", REFERENCE)
@pytest.mark.parametrize("payoff", PAYOFFS)
def test_reference_prices_within_four_standard_errors(reference_surface, payoff, cell):
    error = reference_surface.standard_errors[payoff][cell]
    reference = REFERENCE[cell][PAYOFFS.index(payoff)]
    assert 0 < error < 0.12
    assert abs(reference_surface.prices[payoff][cell] - reference) < 4 * error


def test_the_result_holds_read_only_arrays_of_the_grid_s_shape(reference_surface):
    for by_payoff in (reference_surface.prices, reference_surface.standard_errors):
        assert tuple(by_payoff) == PAYOFFS
        for array in by_payoff.values():
            assert array.shape == (3, 3)
            assert array.dtype == np.float64
            assert not array.flags.writeable


@pytest.mark.parametrize(
    "model",
    [
        Model(n_fixings=52),
        Model(spot=80, rate=0.01, dividend_yield=0.06, maturity_years=2.0, n_fixings=24),
        Model(rate=-0.02, maturity_years=0.25, n_fixings=3),
    ],
)
def test_parity_and_black_scholes(model):
    surface = price_surface(model, [75, 100], [0.15, 0.3], 60_000, seed=3)
    prices, errors = surface.prices, surface.standard_errors
    for kind, parity in (("european", european_parity), ("asian", asian_parity)):
        gap = prices[f"{kind}_call"] - prices[f"{kind}_put"] - parity(model, surface.strikes)
        # Var(X - Y) <= 2 (Var X + Var Y), whatever their correlation
        bound = np.sqrt(2 * (errors[f"{kind}_call"] ** 2 + errors[f"{kind}_put"] ** 2))
        assert (np.abs(gap) < 4 * bound).all()
    assert surface.european_deviation() < 4


def test_zero_volatility_is_exact_with_zero_error():
    model = Model(dividend_yield=0.02, maturity_years=1.5, n_fixings=6)
    surface = price_surface(model, [90, 110], 0.0, 5000)
    for kind, parity in (("european", european_parity), ("asian", asian_parity)):
        exact = parity(model, [90, 110])
        np.testing.assert_allclose(surface.prices[f"{kind}_call"], np.maximum(exact, 0), rtol=1e-12)
        np.testing.assert_allclose(surface.prices[f"{kind}_put"], np.maximum(-exact, 0), rtol=1e-12)
    for error in surface.standard_errors.values():
        assert (error < 1e-7).all()


def test_an_asian_option_with_one_fixing_is_european():
    surface = price_surface(Model(n_fixings=1), STRIKES, VOLATILITIES, 5000)
    for side in ("call", "put"):
        assert np.array_equal(surface.prices[f"european_{side}"], surface.prices[f"asian_{side}"])


def test_standard_errors_match_the_spread_between_seeds():
    model, n_seeds = Model(n_fixings=12), 300
    runs = [price_surface(model, [95, 105], [0.2, 0.4], 1000, seed=seed) for seed in range(n_seeds)]
    for payoff in PAYOFFS:
        spread = np.std([run.prices[payoff] for run in runs], axis=0, ddof=1)
        reported = np.sqrt(np.mean([run.standard_errors[payoff] ** 2 for run in runs], axis=0))
        # The ratio's own standard error is about 1 / sqrt(2 n_seeds), 4 %.
        np.testing.assert_allclose(spread / reported, 1.0, atol=0.16)


def test_standard_errors_equal_numpy_s_on_the_payoffs_themselves():
    """One fixing, one block: the payoffs can be written down."""
    surface = price_surface(Model(n_fixings=1), 100, 0.25, 1000, seed=5)
    random = np.random.Generator(np.random.SFC64(np.random.SeedSequence(5, spawn_key=(0,))))
    spots = 100 * np.exp(0.05 - 0.25**2 / 2 + 0.25 * random.standard_normal(1000))
    payoffs = math.exp(-0.05) * np.maximum(spots - 100, 0)
    assert surface.prices["european_call"][0, 0] == pytest.approx(payoffs.mean(), rel=1e-12)
    expected = payoffs.std(ddof=1) / math.sqrt(1000)
    assert surface.standard_errors["european_call"][0, 0] == pytest.approx(expected, rel=1e-12)


def test_surfaces_are_monotone_and_convex_in_the_strike():
    """What sharing the paths gives, and independent errors per cell would break."""
    surface = price_surface(Model(n_fixings=52), np.linspace(90, 110, 21), [0.1, 0.4], 4096)
    for payoff, prices in surface.prices.items():
        slopes = np.diff(prices, axis=0)
        assert (slopes < 0).all() if payoff.endswith("call") else (slopes > 0).all()
        assert (np.diff(slopes, axis=0) > -1e-10).all()


def test_the_same_bits_however_the_blocks_are_grouped(monkeypatch):
    arguments = (Model(n_fixings=20), STRIKES, VOLATILITIES, 5 * PATHS_PER_BLOCK + 17)
    whole = price_surface(*arguments, seed=8)
    monkeypatch.setattr(surface_module, "TASK_S", 0.0)
    monkeypatch.setattr(surface_module, "MAX_TASKS", 3)
    split = price_surface(*arguments, seed=8)
    other = price_surface(*arguments, seed=9)
    for payoff in PAYOFFS:
        assert np.array_equal(whole.prices[payoff], split.prices[payoff])
        assert np.array_equal(whole.standard_errors[payoff], split.standard_errors[payoff])
        assert not np.array_equal(whole.prices[payoff], other.prices[payoff])


def test_a_cell_has_the_same_price_in_any_grid(reference_surface):
    alone = price_surface(Model(), 100, 0.25, 120_000, seed=20)
    for payoff in PAYOFFS:
        inside = reference_surface.prices[payoff][1, 1]
        assert alone.prices[payoff][0, 0] == pytest.approx(inside, rel=1e-12)


@pytest.mark.parametrize("n_paths", [2, PATHS_PER_BLOCK, PATHS_PER_BLOCK + 1, 10**6, 10**8 + 7])
def test_tasks_cover_every_path_once_and_are_long_enough(n_paths):
    tasks = split_into_tasks(n_paths, n_fixings=260, n_strikes=6, n_volatilities=5)
    blocks = [block for task in tasks for block in task]
    assert [number for number, _ in blocks] == list(range(len(blocks)))
    assert sum(n for _, n in blocks) == n_paths
    assert all(0 < n <= PATHS_PER_BLOCK for _, n in blocks)
    assert len(tasks) <= surface_module.MAX_TASKS
    # 27 ns a path and fixing, measured: 100 ms are some 14,000 paths
    assert all(sum(n for _, n in task) >= 14_000 for task in tasks[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strikes": []}, "strikes must be a non-empty list"),
        ({"strikes": [0.0]}, "strikes must be finite and positive"),
        ({"volatilities": [-0.1]}, "volatilities must be finite and not negative"),
        ({"volatilities": [math.nan]}, "volatilities must be finite"),
        ({"n_paths": 0}, "n_paths must be a whole number of at least 2"),
        ({"n_paths": math.nan}, "n_paths must be a whole number"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_impossible_arguments_are_refused_by_name(change, message):
    arguments = {"strikes": [100], "volatilities": [0.2], "n_paths": 100, **change}
    with pytest.raises(ValueError, match=f"^{message}"):
        price_surface(Model(), **arguments)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_a_price_beyond_a_float_is_an_error_not_a_nan():
    with pytest.raises(OverflowError, match="check rate, maturity, volatilities"):
        price_surface(Model(rate=800, n_fixings=1), 100, 0.2, 100)


def test_progress_counts_paths_on_stderr(capfd):
    price_surface(Model(n_fixings=2), 100, 0.2, 5000, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "5.00k/5.00k" in err
