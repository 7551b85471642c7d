"""The model, its closed form, and what is refused before any work starts."""

import dataclasses
import math

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options.closed_form import (
    asian_parity,
    black_scholes,
    curran_parts,
    european_beta,
    geometric_asian,
)
from ipcluster_azure.examples.monte_carlo_options.model import Model, grid_axis, whole_number


@pytest.mark.parametrize(
    ("strike", "volatility", "call", "put"),
    [
        (100, 0.25, 12.335999, 7.458941),
        (90, 0.10, 14.628838, 0.239486),
        (110, 0.40, 14.004257, 18.639494),
    ],
)
def test_black_scholes_reproduces_the_reference_prices(strike, volatility, call, put):
    prices = black_scholes(Model(), strike, volatility)
    assert prices[0][0, 0] == pytest.approx(call, abs=1e-6)
    assert prices[1][0, 0] == pytest.approx(put, abs=1e-6)


def test_black_scholes_has_strikes_as_rows_and_obeys_parity_with_dividends():
    model = Model(spot=80, rate=0.03, dividend_yield=0.07, maturity_years=2.5)
    strikes, volatilities = np.array([60.0, 80.0, 100.0]), [0.1, 0.5]
    call, put = black_scholes(model, strikes, volatilities)
    assert call.shape == put.shape == (3, 2)
    forward_value = 80 * math.exp(-0.07 * 2.5) - strikes * math.exp(-0.03 * 2.5)
    np.testing.assert_allclose(call - put, np.repeat(forward_value[:, None], 2, axis=1), atol=1e-12)


def test_black_scholes_at_zero_volatility_is_the_discounted_payoff_at_the_forward():
    call, put = black_scholes(Model(rate=0.0), [90, 100, 110], 0.0)
    np.testing.assert_allclose(call[:, 0], [10, 0, 0], atol=1e-12)
    np.testing.assert_allclose(put[:, 0], [0, 0, 10], atol=1e-12)


def lognormal_sample(model, volatility, n_paths):
    """Prices at the fixings, by the plainest of ways, in float64; shape (n_paths, n_fixings)."""
    random = np.random.default_rng(5)
    step = model.maturity_years / model.n_fixings
    carry = model.rate - model.dividend_yield
    moves = random.standard_normal((n_paths, model.n_fixings)) * volatility * math.sqrt(step)
    moves += (carry - volatility**2 / 2) * step
    return model.spot * np.exp(np.cumsum(moves, axis=1))


MODELS = [Model(n_fixings=12), Model(80, 0.01, 0.06, 2.0, 4), Model(rate=-0.03, n_fixings=1)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("volatility", [0.1, 0.5])
def test_closed_forms_of_averages_agree_with_a_plain_simulation(model, volatility):
    prices = lognormal_sample(model, volatility, 200_000)
    arithmetic, geometric = prices.mean(axis=1), np.exp(np.log(prices).mean(axis=1))
    for strike in (0.9 * model.spot, model.spot):
        arguments = (model, np.array([strike]), np.array([volatility]))
        call, put = geometric_asian(*arguments)
        for exact, sample in (
            (call, np.maximum(geometric - strike, 0)),
            (put, np.maximum(strike - geometric, 0)),
            (curran_parts(*arguments)[0], (arithmetic - strike) * (geometric >= strike)),
            (curran_parts(*arguments)[1], (strike - arithmetic) * (geometric < strike)),
            (asian_parity(*arguments[:2]), arithmetic - strike),
        ):
            error = sample.std() / math.sqrt(sample.size)
            assert abs(exact.item() - model.discount * sample.mean()) < 4 * error
        terminal = prices[:, -1]
        covariance = np.cov(np.maximum(terminal - strike, 0), terminal)
        beta = european_beta(*arguments).item()
        assert beta == pytest.approx(covariance[0, 1] / covariance[1, 1], abs=0.02)


def test_the_geometric_asian_call_of_the_reference():
    call, _ = geometric_asian(Model(), np.array([100.0]), np.array([0.25]))
    assert call.item() == pytest.approx(6.551043, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spot", 0),
        ("spot", -1.0),
        ("spot", "100"),
        ("rate", math.nan),
        ("rate", None),
        ("dividend_yield", math.inf),
        ("maturity_years", 0),
        ("maturity_years", -1),
        ("n_fixings", 0),
        ("n_fixings", 1e9),
        ("n_fixings", 2.5),
        ("n_fixings", math.nan),
        ("n_fixings", True),
    ],
)
def test_an_impossible_parameter_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        Model(**{name: value})


def test_a_model_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Model().spot = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "values", [[], 0, [100, -1], [100, math.nan], math.inf, "abc", [[90, 100]], None, [None]]
)
def test_an_impossible_axis_is_refused_by_name(values):
    with pytest.raises(ValueError, match=r"^strikes must be"):
        grid_axis("strikes", values)


def test_zero_is_a_volatility_and_an_axis_is_a_copy():
    assert grid_axis("volatilities", 0, zero_allowed=True).tolist() == [0.0]
    with pytest.raises(ValueError, match=r"negative; -0\.1 is not"):
        grid_axis("volatilities", [0.1, -0.1], zero_allowed=True)
    strikes = np.array([90.0])
    assert not np.shares_memory(grid_axis("strikes", strikes), strikes)


def test_whole_numbers():
    assert whole_number("n_paths", 1e5, least=2) == 100_000
    assert whole_number("seed", 2**100 + 1, least=0) == 2**100 + 1
    for bad in (1, 2.5, math.inf, math.nan, "7", None):
        with pytest.raises(ValueError, match="n_paths must be a whole number of at least 2"):
            whole_number("n_paths", bad, least=2)
