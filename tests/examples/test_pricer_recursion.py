"""Asian prices by recursion: against published ones, formulas, and itself on a finer grid."""

import numpy as np
import pytest
from ipcluster_azure.examples.monte_carlo_options import recursion
from ipcluster_azure.examples.monte_carlo_options.closed_form import black_scholes
from ipcluster_azure.examples.monte_carlo_options.model import Model
from ipcluster_azure.examples.monte_carlo_options.recursion import asian_by_recursion


@pytest.mark.parametrize(
    ("strike", "volatility", "call", "put"),
    [
        (100, 0.25, 6.873201, 4.445613),
        (90, 0.10, 11.960844, 0.020962),
        (110, 0.40, 6.301015, 13.385721),
    ],
)
def test_reference_prices(strike, volatility, call, put):
    found = asian_by_recursion(Model(), strike, volatility)
    assert found[0].item() == pytest.approx(call, abs=1e-6)
    assert found[1].item() == pytest.approx(put, abs=1e-6)


@pytest.mark.parametrize(
    ("spot", "rate", "volatility", "years", "exact"),
    [(1.9, 0.05, 0.5, 1.0, 0.1931737903), (2.0, 0.05, 0.5, 2.0, 0.3500952190)],
)
def test_many_fixings_lead_to_linetsky_s_continuous_averages(spot, rate, volatility, years, exact):
    """Strike 2 (Linetsky, Spectral expansions for Asian options, 2004); errors shrink as 1 / n."""
    rough, middle, fine = (
        asian_by_recursion(Model(spot, rate, 0.0, years, n), 2.0, volatility)[0].item()
        for n in (100, 200, 400)
    )
    once = 2 * middle - rough, 2 * fine - middle
    assert (4 * once[1] - once[0]) / 3 == pytest.approx(exact, abs=2e-8)


def test_one_fixing_is_the_formula_of_black_and_scholes():
    model = Model(dividend_yield=0.03, n_fixings=1)
    for found, exact in zip(
        asian_by_recursion(model, [80, 120], [0.1, 0.6]),
        black_scholes(model, [80, 120], [0.1, 0.6]),
        strict=True,
    ):
        np.testing.assert_allclose(found, exact, atol=1e-12)


def test_a_finer_and_wider_grid_changes_nothing(monkeypatch):
    arguments = (Model(n_fixings=52), [70, 100, 130], [0.05, 0.5])
    usual = asian_by_recursion(*arguments)
    monkeypatch.setattr(recursion, "POINTS_PER_DEVIATION", 3.3)
    monkeypatch.setattr(recursion, "WIDEST", 13.0)
    monkeypatch.setattr(recursion, "CUT", 10.0)
    np.testing.assert_allclose(asian_by_recursion(*arguments), usual, atol=1e-10)


def test_a_huge_volatility_leaves_each_price_between_its_bounds():
    """Where a call's value lies far out in the tail of the average's density."""
    call, put = asian_by_recursion(Model(n_fixings=52), [1e-3, 100, 1e4], 4.0)
    assert (put > 0).all()
    assert (put[:, 0] < [1e-3, 100, 1e4]).all()
    assert (call < 100).all()
