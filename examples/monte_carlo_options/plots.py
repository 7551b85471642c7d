"""Pictures: of a surface, of how errors shrink, of engines at work. Readable on a projector.

Each function returns a matplotlib Figure of its own, not pyplot's: no backend is chosen, nothing
is kept. Colours can be told apart by the colour-blind (cividis; Okabe and Ito's palette, and a
marker of its own for each line).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from .closed_form import black_scholes
from .model import PAYOFFS, FloatArray
from .recursion import asian_by_recursion
from .surface import Surface

COLOUR_MAP = "cividis"
# Colour, marker and line for each of several lines
STYLES = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
)
# As in the original notebook, calls above puts
PANELS = ("european_call", "asian_call", "european_put", "asian_put")
MOST_FIXINGS_OF_RECURSION = 1000
FONTS = {"title": 18, "label": 15, "tick": 13}
VOLATILITY = "Volatility (% per √year)"
MONEY = "currency of the spot"
STRIKE = f"Strike ({MONEY})"


def title(payoff: str) -> str:
    """'European call' for 'european_call'."""
    return payoff.replace("_", " ").capitalize()


def can_be_drawn(surface: Surface) -> bool:
    """A contour needs two points on each axis."""
    return min(surface.strikes.size, surface.volatilities.size) >= 2


def write_plots(surface: Surface, folder: Path) -> list[Path]:
    """Write a contour plot of each payoff, one in three dimensions, and two of errors, as PNG.

    Returns their paths. Raises ValueError if the grid has fewer than two strikes or volatilities:
    there is no contour to draw.
    """
    if not can_be_drawn(surface):
        raise ValueError("a contour plot needs at least two strikes and two volatilities")
    figures = {payoff: contour(surface, payoff) for payoff in PANELS}
    figures["asian_call_3d"] = surface_3d(surface, "asian_call")
    figures["standard_errors"] = standard_errors(surface)
    figures["distances_from_exact"] = distances_from_exact(surface)
    paths = [folder / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, dpi=120)
    return paths


def contour(surface: Surface, payoff: str) -> Figure:
    """One payoff's prices over volatility and strike."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    _contour(figure, figure.subplots(), surface, payoff, surface.prices[payoff])
    return figure


def contours(surface: Surface) -> Figure:
    """The four contour plots of the original notebook."""
    figure = Figure(figsize=(14, 10.5), layout="constrained")
    for axes, payoff in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        _contour(figure, axes, surface, payoff, surface.prices[payoff])
    return figure


def _contour(figure: Figure, axes: Any, surface: Surface, payoff: str, prices: FloatArray) -> None:
    volatilities, strikes, values = _ascending(surface, prices)
    filled = axes.contourf(volatilities, strikes, values, levels=12, cmap=COLOUR_MAP)
    axes.contour(filled, colors="white", linewidths=0.6, alpha=0.7)
    _volatility_and_strike(axes, f"{title(payoff)}, spot {surface.model.spot:g}")
    _bar(figure, filled, axes, f"Price ({MONEY})")


def surface_3d(surface: Surface, payoff: str) -> Figure:
    """One payoff's prices as a surface over volatility and strike."""
    volatilities, strikes, values = _ascending(surface, surface.prices[payoff])
    figure = Figure(figsize=(9, 7))
    axes: Any = figure.add_axes((0.02, 0.04, 0.92, 0.88), projection="3d")
    axes.plot_surface(
        *np.meshgrid(100 * volatilities, strikes),
        values,
        cmap=COLOUR_MAP,
        edgecolor="white",
        lw=0.4,
    )
    axes.view_init(elev=22, azim=125)  # the low corner in front
    axes.locator_params(axis="y", nbins=5)
    axes.set_box_aspect(None, zoom=1.0)
    axes.set_title(f"{title(payoff)}, spot {surface.model.spot:g}", fontsize=FONTS["title"])
    axes.set_xlabel(VOLATILITY, fontsize=FONTS["label"], labelpad=10)
    axes.set_ylabel(STRIKE, fontsize=FONTS["label"], labelpad=10)
    axes.set_zlabel(f"Price ({MONEY})", fontsize=FONTS["label"], labelpad=8)
    axes.tick_params(labelsize=FONTS["tick"])
    return figure


def standard_errors(surface: Surface) -> Figure:
    """The standard errors of all payoffs, on one logarithmic scale."""
    found = {payoff: surface.standard_errors[payoff] for payoff in _different(surface)}
    positive = np.concatenate([error[error > 0] for error in found.values()])
    largest = float(positive.max()) if positive.size else 1.0
    smallest = max(float(positive.min()), largest * 1e-4) if positive.size else 0.1
    if smallest == largest:
        smallest = largest / 10
    figure = Figure(figsize=(14, 5.25 * len(found) / 2), layout="constrained")
    panels = figure.subplots(len(found) // 2, 2)
    for axes, (payoff, errors) in zip(panels.flat, found.items(), strict=True):
        mesh = axes.pcolormesh(
            *_ascending(surface, np.maximum(errors, smallest)),
            norm="log",
            vmin=smallest,
            vmax=largest,
            cmap=COLOUR_MAP,
            shading="nearest",
        )
        _volatility_and_strike(axes, f"{_title(surface, payoff)}, {surface.method}")
        _bar(figure, mesh, axes, f"Standard error ({MONEY})")
    return figure


def distances_from_exact(surface: Surface) -> Figure:
    """How far prices are from Black-Scholes and from the recursion, in standard errors.

    Asian ones are left out beyond 1,000 fixings, where the recursion would take long.
    """
    axes_of_grid = (surface.model, surface.strikes, surface.volatilities)
    exact = dict(zip(PAYOFFS, black_scholes(*axes_of_grid), strict=False))
    if surface.model.n_fixings <= MOST_FIXINGS_OF_RECURSION and (surface.volatilities > 0).all():
        exact.update(zip(PAYOFFS[2:], asian_by_recursion(*axes_of_grid), strict=True))
    shown = [payoff for payoff in _different(surface) if payoff in exact]
    columns = min(2, len(shown))
    figure = Figure(figsize=(7 * columns, 5.4 * len(shown) / columns), layout="constrained")
    panels = figure.subplots(len(shown) // columns, columns, squeeze=False)
    for axes, payoff in zip(panels.flat, shown, strict=True):
        errors = surface.standard_errors[payoff]
        deviation = surface.prices[payoff] - exact[payoff]
        deviation = np.where(errors > 0, deviation / np.where(errors > 0, errors, 1.0), 0.0)
        mesh = axes.pcolormesh(
            *_ascending(surface, deviation), vmin=-4, vmax=4, cmap="PuOr", shading="nearest"
        )
        _volatility_and_strike(axes, f"{_title(surface, payoff)} less exact")
        _bar(figure, mesh, axes, "Difference (standard errors)")
    return figure


def _different(surface: Surface) -> list[str]:
    """The payoffs whose errors differ: a put made of its call by parity has the call's."""
    return list(PANELS if surface.method == "plain" else PANELS[:2])


def _title(surface: Surface, payoff: str) -> str:
    return title(payoff) if surface.method == "plain" else f"{title(payoff)} and put"


def convergence(n_paths: Sequence[int], errors: Mapping[str, Sequence[float]], what: str) -> Figure:
    """Standard errors by method over the number of paths, each with the slope fitted to it."""
    figure, axes = _one()
    for (name, values), (colour, marker, line) in zip(errors.items(), STYLES, strict=False):
        slope = np.polyfit(np.log(n_paths), np.log(values), 1)[0]
        axes.loglog(
            n_paths, values, line, marker=marker, color=colour, lw=2, ms=8,
            label=f"{name}: slope {slope:.2f}",
        )  # fmt: skip
    _labels(axes, f"Convergence: {what}", "Paths", f"Standard error ({MONEY})")
    return figure


def speed_up(n_engines: Sequence[int], elapsed_s: Sequence[float], n_cores: int) -> Figure:
    """How many times as fast as one engine, beside the ideal, which ends at the cores there are."""
    figure, axes = _one()
    gained = [elapsed_s[0] * n_engines[0] / seconds for seconds in elapsed_s]
    ideal = [min(n, n_cores) for n in n_engines]
    axes.plot(n_engines, ideal, ":", color="#666666", lw=2, label=f"ideal on {n_cores} cores")
    colour, marker, line = STYLES[0]
    axes.plot(n_engines, gained, line, marker=marker, color=colour, lw=2, ms=9, label="measured")
    axes.set_xticks(n_engines)
    axes.set_ylim(bottom=0)
    _labels(axes, "Speed-up over engines", "Engines", "Times as fast as one engine")
    return figure


def cpu_load(samples: Mapping[int, tuple[FloatArray, FloatArray]]) -> Figure:
    """Each engine's load over time, as load.stop() returns it."""
    figure = Figure(figsize=(9, 1.2 + 1.1 * len(samples)), layout="constrained")
    rows = figure.subplots(len(samples), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (engine, (seconds, load)) in zip(rows, sorted(samples.items()), strict=True):
        axes.fill_between(seconds, load, step="pre", color=STYLES[0][0])
        axes.set_ylim(0, 1.1)
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.set_ylabel(f"engine {engine}", fontsize=FONTS["tick"])
        axes.tick_params(labelsize=FONTS["tick"])
    rows[0].set_title("Load: share of one core", fontsize=FONTS["title"])
    rows[-1].set_xlabel("Time (s)", fontsize=FONTS["label"])
    return figure


def _one() -> tuple[Figure, Any]:
    figure = Figure(figsize=(9, 6), layout="constrained")
    return figure, figure.subplots()


def _labels(axes: Any, text: str, x: str, y: str) -> None:
    axes.set_title(text, fontsize=FONTS["title"])
    axes.set_xlabel(x, fontsize=FONTS["label"])
    axes.set_ylabel(y, fontsize=FONTS["label"])
    axes.tick_params(labelsize=FONTS["tick"])
    axes.legend(fontsize=FONTS["tick"])
    axes.grid(alpha=0.3)


def _ascending(surface: Surface, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Volatilities, strikes and values in the order that matplotlib wants."""
    rows, columns = np.argsort(surface.strikes), np.argsort(surface.volatilities)
    return surface.volatilities[columns], surface.strikes[rows], values[np.ix_(rows, columns)]


def _volatility_and_strike(axes: Any, text: str) -> None:
    axes.set_title(text, fontsize=FONTS["title"])
    axes.set_xlabel(VOLATILITY, fontsize=FONTS["label"])
    axes.set_ylabel(STRIKE, fontsize=FONTS["label"])
    axes.xaxis.set_major_formatter(FuncFormatter(_in_percent))
    axes.tick_params(labelsize=FONTS["tick"])


def _in_percent(value: float, _: int | None = None) -> str:
    """7.5 for 0.075."""
    return f"{100 * value:.6g}"


def _bar(figure: Figure, drawn: Any, axes: Any, text: str) -> None:
    bar = figure.colorbar(drawn, ax=axes)
    bar.set_label(text, fontsize=FONTS["label"], labelpad=14)
    bar.ax.tick_params(labelsize=FONTS["tick"])
