"""Figures, texts of unknown origin and tables, in the form in which a user is shown them."""

import sys
from collections.abc import Sequence

LONGEST_LINE = 1_000_000  # characters: more than any row of a table


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

    In a terminal, cells that don't fit its width go on in a second line. Elsewhere, say in a pipe,
    a row is one line however long it gets. Control characters do not come through in either.
    """
    from rich.console import Console  # 0.1 s, for the few commands that print a table
    from rich.table import Column, Table
    from rich.text import Text

    in_terminal = sys.stdout.isatty()
    columns = [Column(heading, overflow="fold", no_wrap=not in_terminal) for heading in headings]
    shown = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    width = None if in_terminal else LONGEST_LINE
    console = Console(force_terminal=in_terminal, width=width)
    with console.capture() as capture:
        console.print(shown)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
