"""Figures and foreign texts in words for a person."""


def duration(seconds: float) -> str:
    """45 s, 12 min, 3 h 5 min, 4 d 2 h."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 72 else f"{hours // 24} d {hours % 24} h"


def printable(text: str) -> str:
    """Without control characters: others write tags, and a terminal obeys."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def table(headings: list[str], rows: list[list[str]]) -> str:
    """Left-aligned columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (headings, *rows)
    )
    return "\n".join(lines)
