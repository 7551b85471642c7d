"""QuantLib's and FinancePy's Monte Carlo, in an environment of their own, made by uv.

Neither is a dependency: FinancePy is under the GPL, and nothing of either is copied.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .clusters import run

VERSIONS = ("QuantLib 1.44", "financepy 1.1.2")
SIDE = Path(__file__).with_name("pricer_peers_side.py")
# Strikes and volatilities of the 20 x 20 surface's corners, edges and middle
CELLS = [(strike, volatility) for strike in (90.0, 100.0, 110.0) for volatility in (0.1, 0.25, 0.4)]
AT_THE_MONEY = CELLS.index((100.0, 0.25))


@dataclass(frozen=True)
class Peer:
    """An Asian call's variance of one path's worth x processor seconds for a path, of each cell."""

    name: str
    products: list[float]
    prices: list[float]

    @property
    def at_the_money(self) -> float:
        return self.products[AT_THE_MONEY]

    def surface_s(self, n_cells: int, standard_error: float) -> float:
        """Seconds for as many cells like these, each to that standard error."""
        return n_cells * sum(self.products) / len(self.products) / standard_error**2


def measure_peers(n_paths: int, n_seeds: int) -> list[Peer]:
    uv = [sys.executable, "-m", "uv"]
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        python = Path(directory, "bin", "python")
        subprocess.run(
            [*uv, "venv", "--quiet", "--clear", f"--python={sys.executable}", directory], check=True
        )
        wanted = [version.replace(" ", "==") for version in VERSIONS]
        subprocess.run(
            [*uv, "pip", "install", "--quiet", f"--python={python}", *wanted], check=True
        )
        words = [str(n_paths), str(n_seeds), json.dumps(CELLS)]
        output = run([str(python), "-W", "ignore", str(SIDE), *words], os.environ)
    found = json.loads(output.splitlines()[-1])
    return [
        Peer(
            name,
            [variance * seconds for _, variance, seconds in cells],
            [price for price, _, _ in cells],
        )
        for name, cells in found.items()
    ]
