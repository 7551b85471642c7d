"""The four contour plots of the original notebook, over volatility and strike."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .surface import Surface

_TITLES = {
    "european_call": "European call",
    "asian_call": "Asian call",
    "european_put": "European put",
    "asian_put": "Asian put",
}


def write_plots(surface: Surface, folder: Path) -> list[Path]:
    """Write european_call.png, asian_call.png, european_put.png and asian_put.png into `folder`.

    Returns their paths. Raises ValueError if the grid has fewer than two strikes or volatilities:
    there is no contour to draw.
    """
    if min(surface.strikes.size, surface.volatilities.size) < 2:
        raise ValueError("a contour plot needs at least two strikes and two volatilities")
    paths = []
    for name, title in _TITLES.items():
        path = folder / f"{name}.png"
        _contour_plot(surface, name, title).savefig(path, dpi=150)
        paths.append(path)
    return paths


def _contour_plot(surface: Surface, name: str, title: str) -> Figure:
    """A Figure of its own, not pyplot's: no backend is chosen, nothing is kept."""
    rows, columns = np.argsort(surface.strikes), np.argsort(surface.volatilities)
    prices = surface.prices[name][np.ix_(rows, columns)]
    model = surface.model

    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots()
    filled = axes.contourf(
        surface.volatilities[columns], surface.strikes[rows], prices, levels=12, cmap="viridis"
    )
    axes.contour(filled, colors="white", linewidths=0.5, alpha=0.6)
    axes.set_title(f"{title}: price at spot {model.spot:g}", fontsize=18)
    axes.set_xlabel("Volatility (% per √year)", fontsize=15)
    axes.set_ylabel("Strike (currency of the spot)", fontsize=15)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=""))
    axes.tick_params(labelsize=13)
    bar = figure.colorbar(filled)
    bar.set_label("Price (currency of the spot)", fontsize=15)
    bar.ax.tick_params(labelsize=13)
    return figure
