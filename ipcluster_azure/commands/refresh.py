"""A text that is shown anew again and again: in place in a terminal, elsewhere line after line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from .base import print_now


class Show(Protocol):
    """Shows a text in the place of the last."""

    def __call__(self, text: str) -> None: ...


@contextmanager
def refreshing() -> Iterator[Show]:
    """Give what shows texts; in a terminal on a screen of its own, which is gone at the end.

    The last text stays then.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        yield lambda text: print_now(f"{text}\n")
        return
    last = ""

    def show(text: str) -> None:
        nonlocal last
        last = text
        live.update(Text(text), refresh=True)

    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            yield show
    finally:
        if last:
            print(last)
