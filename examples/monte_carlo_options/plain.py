"""The plain method: what an engine runs. Needs numpy and nothing else of this package."""

from numpy import float64
from numpy.typing import NDArray


def simulate_blocks(
    spot: float,
    rate: float,
    dividend_yield: float,
    maturity_years: float,
    n_fixings: int,
    strikes: list[float],
    volatilities: list[float],
    seed: int,
    blocks: list[tuple[int, int]],
) -> "NDArray[float64]":
    """Sums of undiscounted payoffs, and of their squares, over each block of paths.

    `blocks` lists (block number, number of paths). A block's random numbers depend on the seed
    and its number alone, so its sums are the same wherever and whenever it runs. All cells of
    the grid are priced on the same paths of the Brownian motion, which are most of the cost.

    Returns shape (n_blocks, 2, 4, n_strikes, n_volatilities): sums and sums of squares; payoffs
    in the order of model.PAYOFFS. Sums per block, for the client to add in one order only.

    surface.py ships this function by value, for engines without this package: everything it
    uses is imported or defined inside it.
    """
    import numpy as np

    step_years = maturity_years / n_fixings
    volatility = np.array(volatilities)[:, None]
    log_drift = rate - dividend_yield - volatility**2 / 2
    sums = np.empty((len(blocks), 2, 4, len(strikes), len(volatilities)))

    for block_sums, (block, n_paths) in zip(sums, blocks, strict=True):
        random = np.random.Generator(
            np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(block,)))
        )
        normals = np.empty(n_paths)
        brownian = np.zeros(n_paths)
        growth = np.empty((len(volatilities), n_paths))  # S_t / S_0
        total_growth = np.zeros_like(growth)
        for fixing in range(1, n_fixings + 1):
            random.standard_normal(out=normals)
            normals *= step_years**0.5
            brownian += normals
            np.multiply(volatility, brownian, out=growth)
            growth += log_drift * (fixing * step_years)
            np.exp(growth, out=growth)
            total_growth += growth

        terminal = spot * growth
        average = spot * total_growth / n_fixings
        for i, strike in enumerate(strikes):
            differences = (terminal - strike, strike - terminal, average - strike, strike - average)
            for j, difference in enumerate(differences):
                payoff = np.maximum(difference, 0.0, out=difference)
                block_sums[0, j, i] = payoff.sum(axis=1)
                block_sums[1, j, i] = np.square(payoff, out=payoff).sum(axis=1)
    return sums
