"""Prices and standard errors, computed in this process."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options import block, normals, paths
from ipcluster_azure.examples.monte_carlo_options.block import METHODS
from ipcluster_azure.examples.monte_carlo_options.closed_form import (
    asian_parity,
    black_scholes,
    european_parity,
)
from ipcluster_azure.examples.monte_carlo_options.model import MOST_FIXINGS, PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.normals import normal_quantile
from ipcluster_azure.examples.monte_carlo_options.paths import PATHS_PER_BLOCK
from ipcluster_azure.examples.monte_carlo_options.recursion import asian_by_recursion
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface
from ipcluster_azure.examples.monte_carlo_options.task import Task

STRIKES = [90.0, 100.0, 110.0]
VOLATILITIES = [0.10, 0.25, 0.40]
# (row, column): European call, European put, Asian call, Asian put; exact to the digits shown
REFERENCE = {
    (1, 1): (12.335999, 7.458941, 6.873201, 4.445613),
    (0, 0): (14.628838, 0.239486, 11.960844, 0.020962),
    (2, 2): (14.004257, 18.639494, 6.301015, 13.385721),
}
# What the standard error of the worst of these prices may be, with 200,000 paths.
LARGEST_ERROR = {"plain": 0.08, "control": 0.05, "preintegration": 1e-5}
SEVERAL_MODELS = [
    Model(n_fixings=52),
    Model(spot=80, rate=0.01, dividend_yield=0.06, maturity_years=2.0, n_fixings=24),
    Model(rate=-0.02, maturity_years=0.25, n_fixings=3),
    Model(rate=0.0, dividend_yield=0.03, maturity_years=0.5, n_fixings=300),
]


def task_of(n_fixings, volatilities):
    return Task(
        method="plain",
        kernel="numpy",
        seed=0,
        carry=0.05,
        maturity_years=1.0,
        n_fixings=n_fixings,
        strikes=[1.0],
        volatilities=volatilities,
        betas=[],
    )


@pytest.fixture(scope="module", params=list(METHODS))
def reference_surface(request):
    return price_surface(Model(), STRIKES, VOLATILITIES, 200_000, seed=20, method=request.param)


@pytest.mark.parametrize("cell", REFERENCE)
@pytest.mark.parametrize("payoff", PAYOFFS)
def test_reference_prices(reference_surface, payoff, cell):
    error = reference_surface.standard_errors[payoff][cell]
    reference = REFERENCE[cell][PAYOFFS.index(payoff)]
    assert 0 < error < LARGEST_ERROR[reference_surface.method]
    assert abs(reference_surface.prices[payoff][cell] - reference) < 4 * error + 1e-6


def test_shape_and_type(reference_surface):
    for by_payoff in (reference_surface.prices, reference_surface.standard_errors):
        assert tuple(by_payoff) == PAYOFFS
        for array in by_payoff.values():
            assert array.shape == (3, 3)
            assert array.dtype == np.float64
            assert not array.flags.writeable


@pytest.mark.parametrize("n", [12, 260])
def test_float32_costs_hardly_any_bias(n):
    """The same paths in float64: their average prices differ by 1e-5 at the most, in the mean."""
    volatilities = [0.001, 0.05, 0.25, 0.8]
    task = task_of(n, volatilities)
    years = np.arange(1, n + 1) / n
    differences = []
    for seed in range(8):
        average = paths.simulate(task, np.random.Generator(np.random.SFC64(seed))).average
        walk = np.empty((n, PATHS_PER_BLOCK), dtype=np.float32)
        normals.fill_with_normals(np.random.Generator(np.random.SFC64(seed)), walk.reshape(-1))
        motion = np.cumsum(walk.astype(np.float64), axis=0) / math.sqrt(n)
        exact = [
            np.exp(v * motion + ((0.05 - v**2 / 2) * years)[:, None]).mean(axis=0)
            for v in volatilities
        ]
        differences.append((average - exact).mean(axis=1))
    assert np.abs(100 * np.mean(differences, axis=0)).max() < 1e-5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", SEVERAL_MODELS)
def test_european_prices_are_those_of_black_scholes(model, method):
    surface = price_surface(model, [75, 100], [0.15, 0.3], 100_000, seed=3, method=method)
    assert 0 < surface.european_deviation() < 2


@pytest.mark.parametrize("model", SEVERAL_MODELS)
def test_the_methods_agree(model):
    arguments = (model, [0.9 * model.spot, model.spot], [0.15, 0.6], 200_000)
    plain, control, preintegration = (
        price_surface(*arguments, seed=seed, method=method) for seed, method in enumerate(METHODS)
    )
    for payoff in PAYOFFS:
        exact = preintegration.prices[payoff]
        for other in (plain, control):
            spread = np.hypot(other.standard_errors[payoff], preintegration.standard_errors[payoff])
            assert (np.abs(other.prices[payoff] - exact) < 4 * spread).all()


@pytest.mark.parametrize("method", ["control", "preintegration"])
@pytest.mark.parametrize("model", SEVERAL_MODELS)
def test_parity(model, method):
    surface = price_surface(model, STRIKES, VOLATILITIES, 10_000, method=method)
    for kind, parity in (("european", european_parity), ("asian", asian_parity)):
        gap = surface.prices[f"{kind}_call"] - surface.prices[f"{kind}_put"]
        assert np.abs(gap - parity(model, surface.strikes)).max() < 1e-10


def test_parity_of_the_plain_method_holds_within_its_errors():
    model = Model(dividend_yield=0.02, n_fixings=20)
    surface = price_surface(model, STRIKES, VOLATILITIES, 60_000, method="plain")
    for kind, parity in (("european", european_parity), ("asian", asian_parity)):
        call, put = surface.prices[f"{kind}_call"], surface.prices[f"{kind}_put"]
        errors = surface.standard_errors
        bound = np.hypot(errors[f"{kind}_call"], errors[f"{kind}_put"]) * math.sqrt(2)
        assert (np.abs(call - put - parity(model, surface.strikes)) < 4 * bound).all()


@pytest.mark.parametrize("method", METHODS)
def test_zero_volatility_is_exact_with_zero_error(method):
    model = Model(dividend_yield=0.02, maturity_years=1.5, n_fixings=6)
    surface = price_surface(model, [90, 110], [0.0, 0.2], 5000, method=method)
    alone = price_surface(model, [90, 110], 0.0, 5000, method=method)
    for kind, parity in (("european", european_parity), ("asian", asian_parity)):
        exact = parity(model, np.array([90.0, 110.0]))[:, 0]
        for result in (surface, alone):
            call, put = result.prices[f"{kind}_call"], result.prices[f"{kind}_put"]
            np.testing.assert_allclose(call[:, 0], np.maximum(exact, 0), rtol=1e-12)
            np.testing.assert_allclose(put[:, 0], np.maximum(-exact, 0), rtol=1e-12)
    for error in surface.standard_errors.values():
        assert (error[:, 0] == 0).all()
        assert (error[1, 1] > 0).all()


@pytest.mark.parametrize("volatility", [1e-9, 1e-4, 0.01])
@pytest.mark.parametrize("method", METHODS)
def test_a_tiny_volatility_is_close_to_none(method, volatility):
    model = Model(rate=0.0, n_fixings=50)
    tiny = price_surface(model, STRIKES, volatility, 10_000, method=method)
    for payoff in PAYOFFS:
        none = price_surface(model, STRIKES, 0.0, 10_000).prices[payoff]
        assert np.abs(tiny.prices[payoff] - none).max() < 100 * volatility * 0.5 + 5e-5


@pytest.mark.parametrize("method", METHODS)
def test_an_asian_option_with_one_fixing_is_european(method):
    surface = price_surface(Model(n_fixings=1), STRIKES, VOLATILITIES, 5000, method=method)
    for side in ("call", "put"):
        european, asian = surface.prices[f"european_{side}"], surface.prices[f"asian_{side}"]
        if method == "plain":  # one has the path's end from float32, the other does its sum so
            np.testing.assert_allclose(asian, european, atol=1e-5)
        else:
            exact = black_scholes(surface.model, surface.strikes, surface.volatilities)
            np.testing.assert_allclose(asian, exact[side == "put"], atol=1e-5)
            assert (surface.standard_errors[f"asian_{side}"] < 1e-5).all()


@pytest.mark.parametrize("method", METHODS)
def test_another_seed_has_other_prices_and_the_same_seed_the_same_bits(method):
    arguments = (Model(n_fixings=20), STRIKES, VOLATILITIES, 10_000)
    one, same, other = (
        price_surface(*arguments, seed=seed, method=method) for seed in (8, 8, 2**100)
    )
    for payoff in PAYOFFS:
        assert np.array_equal(one.prices[payoff], same.prices[payoff])
        assert np.array_equal(one.standard_errors[payoff], same.standard_errors[payoff])
        assert not np.array_equal(one.prices[payoff], other.prices[payoff])
    assert one.arithmetic == same.arithmetic


def test_a_cell_has_the_same_price_in_any_grid(reference_surface):
    alone = price_surface(Model(), 100, 0.25, 200_000, seed=20, method=reference_surface.method)
    for payoff in PAYOFFS:
        inside = reference_surface.prices[payoff][1, 1]
        # interpolated over other strikes, preintegration differs by less than its errors
        within = {"rel": 1e-12} if alone.method != "preintegration" else {"abs": 3e-8}
        assert alone.prices[payoff][0, 0] == pytest.approx(inside, **within)


@pytest.mark.parametrize("method", METHODS)
def test_the_unit_of_money_does_not_matter(method):
    model = Model(n_fixings=12)
    cents = Model(spot=1e4, n_fixings=12)
    one = price_surface(model, STRIKES, VOLATILITIES, 1e4, method=method)
    hundred = price_surface(cents, np.array(STRIKES) * 100, VOLATILITIES, 1e4, method=method)
    for payoff in PAYOFFS:
        np.testing.assert_allclose(
            hundred.prices[payoff], 100 * one.prices[payoff], rtol=1e-9, atol=1e-9
        )


def test_paths_are_rounded_up_to_blocks_of_which_there_are_8_or_more():
    for asked, blocks in ((1, 8), (8 * PATHS_PER_BLOCK, 8), (8 * PATHS_PER_BLOCK + 1, 9)):
        surface = price_surface(Model(n_fixings=2), 100, 0.2, asked)
        assert (surface.n_blocks, surface.n_paths) == (blocks, blocks * PATHS_PER_BLOCK)


def test_a_run_ends_at_the_wanted_standard_error_in_a_fixed_round():
    arguments = (Model(n_fixings=12), [90, 110], [0.2, 0.4], 2e6)
    rough = price_surface(*arguments, standard_error=1.0, method="control")
    assert rough.n_blocks == 32
    for wanted in (3e-2, 2e-2):
        fine = price_surface(*arguments, standard_error=wanted, method="control")
        # of 32, 40, 48, 56, 64, 80...
        step = 2 ** (math.floor(math.log2(fine.n_blocks)) - 2)
        assert fine.n_blocks % step == 0
        assert 0.6 * wanted < fine.worst_error() <= wanted
        # the same blocks, and so the same bits, as a run of that many paths
        same = price_surface(*arguments[:3], fine.n_paths, method="control")
        for payoff in PAYOFFS:
            assert np.array_equal(fine.prices[payoff], same.prices[payoff])


def test_paths_are_the_most_when_the_wanted_standard_error_is_out_of_reach():
    surface = price_surface(Model(n_fixings=2), 100, 0.2, 70_000, standard_error=1e-9)
    assert surface.n_paths == 69 * PATHS_PER_BLOCK
    assert surface.worst_error() > 1e-9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strikes": []}, "strikes must be a non-empty list"),
        ({"strikes": [0.0]}, "strikes must be finite and positive"),
        ({"strikes": [1e12]}, "strikes: 1e\\+12 is too far from the spot"),
        ({"volatilities": [-0.1]}, "volatilities must be finite and not negative"),
        ({"volatilities": [math.nan]}, "volatilities must be finite"),
        ({"volatilities": [9.0]}, "volatilities: 9 over 1 years is beyond"),
        ({"n_paths": 0}, "n_paths must be a whole number of at least 1"),
        ({"n_paths": -5}, "n_paths must be a whole number"),
        ({"n_paths": math.nan}, "n_paths must be a whole number"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"method": "sobol"}, "method must be one of plain, control, preintegration, not 'sobol'"),
        ({"kernel": "cuda"}, "kernel must be one of numpy, numba, not 'cuda'"),
        ({"standard_error": 0}, "standard_error must be positive"),
        ({"standard_error": math.nan}, "standard_error must be a finite number"),
        ({"model": Model(rate=800)}, "rate or dividend_yield: 800 a year"),
        ({"model": Model(dividend_yield=-90)}, "rate or dividend_yield"),
    ],
)
def test_impossible_arguments_are_refused_by_name(change, message):
    arguments = {"model": Model(), "strikes": [100], "volatilities": [0.2], "n_paths": 100}
    with pytest.raises(ValueError, match=f"^{message}"):
        price_surface(**{**arguments, **change})


def test_progress_counts_paths_on_stderr(capfd):
    price_surface(Model(n_fixings=2), 100, 0.2, 10_000, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "10.2k/10.2k" in err


def test_an_interval_of_another_level():
    surface = price_surface(Model(n_fixings=2), 100, 0.2, 8 * PATHS_PER_BLOCK)
    error = surface.standard_errors["asian_call"]
    # Student's quantiles with 7 degrees of freedom
    for level, quantile in ((0.95, 2.364624), (0.99, 3.499483), (0.5, 0.711142)):
        np.testing.assert_allclose(
            surface.half_widths(level)["asian_call"] / error, quantile, rtol=1e-3
        )
    for level in (0, 1, math.nan):
        with pytest.raises(ValueError, match="level must be between 0 and 1"):
            surface.half_widths(level)


def test_normal_quantiles():
    probabilities = np.concatenate([[1e-300, 1e-20, 1e-9], np.linspace(0.001, 0.999, 999)])
    probabilities = np.append(probabilities, 1 - 1e-12)
    exact = [NormalDist().inv_cdf(float(p)) for p in probabilities]
    np.testing.assert_allclose(normal_quantile(probabilities), exact, rtol=1e-14, atol=1e-15)


def test_the_paths_of_a_block_are_brownian_motions():
    """The covariances of W at 5 fixings, and its fourth moment."""
    task = task_of(5, [0.2])
    random = np.random.Generator(np.random.SFC64(7))
    sums, fourth = np.zeros((5, 5)), 0.0
    for _ in range(200):
        (walk,) = paths.walks(task, random)
        sums += walk.astype(float) @ walk.T.astype(float) / PATHS_PER_BLOCK
        fourth += (walk[2].astype(float) ** 4).mean()
    years = np.arange(1, 6) / 5
    np.testing.assert_allclose(sums / 200, np.minimum.outer(years, years), atol=0.012)
    assert fourth / 200 == pytest.approx(3 * 0.6**2, rel=0.03)


def test_a_product_is_summed_in_float64_and_in_pieces():
    """10,000 float32 steps: a running float32 sum is off by more than 1e-6."""
    values = np.random.default_rng(2).random((10_000, 128), dtype=np.float32)
    weights = np.full((20, 10_000), 1e-4, dtype=np.float32)
    exact = weights.astype(np.float64) @ values.astype(np.float64)
    naive = np.zeros(128, np.float32)
    for row in values:
        naive += np.float32(1e-4) * row
    assert np.abs(naive - exact[0]).max() > 1e-6
    assert np.abs(paths.product(weights, values) - exact).max() < 1e-7


@pytest.mark.parametrize("method", METHODS)
def test_the_most_fixings_are_priced_right(method):
    """At 10,000 a running float32 sum would show."""
    coarse, fine = (asian_by_recursion(Model(n_fixings=n), 100, 0.25)[0].item() for n in (250, 500))
    exact = fine + (fine - coarse) * (1 - 500 / MOST_FIXINGS)
    model = Model(n_fixings=MOST_FIXINGS)
    surface = price_surface(model, 100, [0.001, 0.25], 1, method=method)
    average = 100 * (math.exp(0.05) - 1) / 0.05 + 50 * (math.exp(0.05) - 1) / MOST_FIXINGS
    assert surface.prices["asian_call"][0, 0] == pytest.approx(
        math.exp(-0.05) * (average - 100), abs=2e-5 if method != "plain" else 3e-3
    )
    error = surface.standard_errors["asian_call"][0, 1]
    assert abs(surface.prices["asian_call"][0, 1] - exact) < 5 * error + 1e-5
    with pytest.raises(ValueError, match="n_fixings must be at most 10000, not 10001"):
        Model(n_fixings=MOST_FIXINGS + 1)


def test_a_sample_of_ends_has_no_infinity():
    """Uniform numbers at both of their ends: 1 less a tiny probability is 1 in a float."""

    class Ends:
        def __init__(self, number):
            self.number = number

        def random(self, n):
            return np.full(n, self.number)

    task = task_of(5, [0.2])
    for number in (0.0, 1.0 - 2**-53):
        assert block._european_leg(task, Ends(number))[0, 0] == pytest.approx(0.05859, abs=1e-5)
