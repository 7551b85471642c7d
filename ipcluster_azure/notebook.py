"""One output of a notebook's cell that is changed in place: a bar, and what is being done."""

import html
import time
from typing import Any

WIDTH = 30  # characters of the bar, where there is no HTML
PAUSE_S = 0.1  # between two pictures of a count


def in_notebook() -> bool:
    """Return whether this is a kernel, whose output goes to the cells of a notebook."""
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


class NotebookBar:
    """A bar with a text. It needs no widgets, so it is in the notebook's file as well.

    `promise`: what is to be said at the end as well, whatever was shown since.
    """

    def __init__(self) -> None:
        self.text = self.promise = ""
        self._done, self._total = 0, 0
        self._handle: Any = None
        self._drawn_at = 0.0

    def show(self, text: str) -> None:
        self.text = text
        self._draw()

    def count(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        if done >= total or time.monotonic() - self._drawn_at > PAUSE_S:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        self._drawn_at = time.monotonic()
        if self._handle is None:
            self._handle = display(self._picture(), raw=True, display_id=True)
        else:
            self._handle.update(self._picture(), raw=True)

    def _picture(self) -> dict[str, str]:
        value = f' value="{self._done}" max="{self._total}"' if self._total else ""
        full = WIDTH * self._done // max(1, self._total)
        return {
            "text/plain": f"[{'#' * full:-<{WIDTH}}] {self.text}",
            "text/html": f"<progress{value}></progress> {html.escape(self.text)}",
        }
