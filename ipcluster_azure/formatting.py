"""Figures, texts of unknown origin and tables, in the form in which a user is shown them."""

import shutil
import sys
from collections.abc import Sequence

LONGEST_LINE = 1_000_000  # characters: more than any row of a table
GAP, INDENT = 2, 4 * " "


def counted(number: int, singular: str) -> str:
    """Return a number with its noun: 1 machine, 2 machines."""
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"


def money(usd: float) -> str:
    """Return US dollars: $12.50, or $0.192 where cents alone would say too little."""
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.3f}"


def some(names: Sequence[str], most: int = 4) -> str:
    """Return the first of many names, and how many more there are: a, b and 7 more."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def duration(seconds: float) -> str:
    """Return a time in at most two units: 45 s, 12 min, 3 h 5 min, 4 d 2 h."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 72 else f"{hours // 24} d {hours % 24} h"


def printable(text: str) -> str:
    """Return `text` with ? for control characters, which a terminal would obey."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def table(headings: list[str], rows: list[list[str]]) -> str:
    """Return left-aligned columns, two spaces apart, for standard output.

    Where a terminal is too narrow for all columns, the last of them stand in further lines, below
    the first ones and indented: no cell is broken. Elsewhere, say in a pipe, a row is one line
    however long it gets. Control characters do not come through in either.
    """
    from rich.cells import cell_len, set_cell_size

    in_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if in_terminal else LONGEST_LINE
    cells = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    columns = _lines_of_columns(widths, width)
    lines = []
    for row in cells:
        sized = [set_cell_size(cell, own) for cell, own in zip(row, widths, strict=True)]
        first, *rest = [
            (GAP * " ").join(sized[column] for column in line).rstrip() for line in columns
        ]
        lines += [first, *(f"{INDENT}{line}" for line in rest)]
    return "\n".join(lines)


def _lines_of_columns(widths: Sequence[int], width: int) -> list[list[int]]:
    """Return which columns stand in each line, so that those fit the width as far as they can."""
    lines: list[list[int]] = [[]]
    taken = 0
    for column, own in enumerate(widths):
        if lines[-1] and taken + GAP + own > width:
            lines.append([])
            taken = len(INDENT)
        taken += own + (GAP if lines[-1] else 0)
        lines[-1].append(column)
    return lines
