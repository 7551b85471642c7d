"""The textbook's version, and the three steps that lead from it to the fast one."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options import textbook
from ipcluster_azure.examples.monte_carlo_options.closed_form import black_scholes
from ipcluster_azure.examples.monte_carlo_options.model import PAYOFFS, Model
from ipcluster_azure.examples.monte_carlo_options.recursion import asian_by_recursion
from ipcluster_azure.examples.monte_carlo_options.textbook import price_option
from ipcluster_azure.examples.monte_carlo_options.three_steps import (
    control_variate,
    integrate_the_mean_driver_out,
    share_the_paths,
)

STEPS = (share_the_paths, control_variate, integrate_the_mean_driver_out)


def test_it_is_short():
    assert len(Path(textbook.__file__).read_text(encoding="utf-8").splitlines()) <= 40


def test_its_prices_are_right_within_their_errors():
    model = Model(spot=90, rate=0.03, maturity_years=2.0, n_fixings=24)
    found = price_option(90, 100, 0.3, 0.03, 2.0, 24, n_paths=100_000, seed=7)
    exact = (*black_scholes(model, 100, 0.3), *asian_by_recursion(model, 100, 0.3))
    assert tuple(found) == PAYOFFS
    for (price, error), known in zip(found.values(), exact, strict=True):
        assert abs(price - known.item()) < 4 * error
        assert 0.02 < error < 0.15


def test_its_defaults_are_those_of_the_model():
    defaults = {
        name: value.default for name, value in inspect.signature(price_option).parameters.items()
    }
    assert {key: defaults[key] for key in ("spot", "rate", "maturity_years", "n_fixings")} == {
        "spot": Model().spot,
        "rate": Model().rate,
        "maturity_years": Model().maturity_years,
        "n_fixings": Model().n_fixings,
    }


@pytest.mark.parametrize("model", [Model(n_fixings=12), Model(dividend_yield=0.04, n_fixings=1)])
def test_each_step_is_right_and_better_than_the_one_before(model):
    strikes, volatilities = np.array([90.0, 100.0, 115.0]), np.array([0.15, 0.4])
    exact, _ = asian_by_recursion(model, strikes, volatilities)
    errors = []
    for step in STEPS:
        prices, error = step(model, strikes, volatilities, 10_000, seed=3)
        # the last one's sum over z has a kink
        assert (np.abs(prices - exact) < 4 * error + 1e-5).all()
        errors.append(error)
    assert (errors[1] < errors[0] / 3).all()
    assert (errors[2] < errors[1] / 10 + 1e-12).all()
