"""Run by pricer_peers.py with a Python that has QuantLib and FinancePy: their best Monte Carlo.

    python pricer_peers_side.py PATHS SEEDS CELLS

CELLS is JSON: pairs of strike and volatility. The last line printed is JSON: by library a list, for
each cell: the price, the variance of one path's worth, and processor seconds for a path. Asian
calls with 260 fixings in a year, spot 100, rate 5 %.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import QuantLib as ql  # noqa: N813 (its own documentation's name)
from financepy.market.curves.discount_curve_flat import DiscountCurveFlat
from financepy.models.black_scholes import BlackScholes
from financepy.products.equity.equity_asian_option import EquityAsianOption
from financepy.utils.date import Date
from financepy.utils.global_types import OptionTypes

N_FIXINGS, SPOT, RATE = 260, 100.0, 0.05


def quantlib(strike: float, volatility: float, n_paths: int, seed: int) -> float:
    """One fixing a day, of which 260 make the year: rate and volatility are scaled to that."""
    scale = 365 / N_FIXINGS
    today, day_count = ql.Date(1, 1, 2026), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    process = ql.BlackScholesProcess(
        ql.QuoteHandle(ql.SimpleQuote(SPOT)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, RATE * scale, day_count)),
        ql.BlackVolTermStructureHandle(
            ql.BlackConstantVol(today, ql.NullCalendar(), volatility * scale**0.5, day_count)
        ),
    )
    dates = [today + day for day in range(1, N_FIXINGS + 1)]
    option = ql.DiscreteAveragingAsianOption(
        ql.Average.Arithmetic,
        0.0,
        0,
        dates,
        ql.PlainVanillaPayoff(ql.Option.Call, strike),
        ql.EuropeanExercise(dates[-1]),
    )
    option.setPricingEngine(
        ql.MCDiscreteArithmeticAPEngine(
            process,
            "pseudorandom",
            antitheticVariate=True,
            controlVariate=True,
            requiredSamples=n_paths // 2,  # each with its mirror image
            seed=seed,
        )
    )
    return float(option.NPV())


def financepy(strike: float, volatility: float, n_paths: int, seed: int) -> float:
    today = Date(1, 1, 2026)
    option = EquityAsianOption(
        today, today.add_days(365), strike, OptionTypes.EUROPEAN_CALL, N_FIXINGS
    )
    return float(
        option.value_mc_fast_vc_numba(
            today,
            SPOT,
            DiscountCurveFlat(today, RATE),
            DiscountCurveFlat(today, 0.0),
            BlackScholes(volatility),
            n_paths,
            seed,
            0.0,
        )
    )


def look(price: Callable[[int], float], n_paths: int, n_seeds: int) -> tuple[float, float, float]:
    """The spread over seeds tells the variance, for both in the same way."""
    price(1)  # compiles, where that is to be done
    began = time.process_time()
    prices = [price(seed) for seed in range(2, n_seeds + 2)]
    seconds = (time.process_time() - began) / (n_seeds * n_paths)
    return statistics.fmean(prices), statistics.variance(prices) * n_paths, seconds


def main() -> None:
    n_paths, n_seeds, cells = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    found = {
        name: [
            look(partial(side, strike, volatility, n_paths), n_paths, n_seeds)
            for strike, volatility in cells
        ]
        for name, side in (("QuantLib", quantlib), ("FinancePy", financepy))
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
