"""What a user sees of one start, to which both launchers belong: one clock, and in a notebook one
bar and one closing line.

In a notebook the lines of a log would fill the cell's output. What is no warning goes into the bar
instead, where each takes the place of the one before. The level DEBUG brings the lines back, and
with WARNING there is no bar either.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from ..notebook import NotebookBar, in_notebook
from ..progress import Progress
from .cluster_html import show_as_html

# how long what is said between the controller's launcher and the engines' is part of the start
GAP_S = 10.0


class StartView:
    """One start of a cluster, or of an engine set that joins one."""

    def __init__(self, log: Any) -> None:
        asked_for = log.isEnabledFor(logging.INFO) and not log.isEnabledFor(logging.DEBUG)
        self.bar = NotebookBar() if asked_for and in_notebook() else None
        self.progress = Progress(log, self.bar)
        self._handlers: list[logging.Handler] = []
        self._open_until = math.inf

    def open(self, log: Any) -> None:
        """Let what is said from now on come into the bar instead of the cell's output."""
        self._open_until = math.inf
        if self.bar is not None and not self._handlers:
            self._handlers = _handlers_of_streams(log)
            for handler in self._handlers:
                handler.addFilter(self._is_line)

    def pause(self) -> None:
        """The engines' launcher is to come; should it not come, lines are lines again."""
        self._open_until = time.monotonic() + GAP_S

    def close(self) -> None:
        for handler in self._handlers:
            handler.removeFilter(self._is_line)

    def conclude(self, log: Any) -> None:
        if self.bar is not None:
            log.info("%s", ". ".join(filter(None, (self.bar.text, self.bar.promise))))

    def _is_line(self, entry: logging.LogRecord) -> bool:
        if self.bar is None or entry.levelno > logging.INFO or time.monotonic() > self._open_until:
            return True
        self.bar.show(entry.getMessage())
        return False


_views: "WeakKeyDictionary[Any, StartView]" = WeakKeyDictionary()


@contextmanager
def start_shown(launcher: Any, *, first: bool, last: bool) -> Iterator[None]:
    """Show what a launcher's start says; `first`, `last`: whether it begins, ends the whole."""
    owner, log = _owner(launcher), launcher.log
    if first or owner not in _views:
        _views[owner] = StartView(log)
    view = _views[owner]
    view.open(log)
    show_as_html()
    try:
        yield
    except BaseException:
        _views.pop(owner, None)
        view.close()
        raise
    if not last:
        view.pause()
        return
    _views.pop(owner, None)
    view.close()
    view.conclude(log)


def progress_of(launcher: Any) -> Progress:
    """Return the Progress of the start that goes on, or of whatever else a launcher does."""
    view = _views.get(_owner(launcher))
    return view.progress if view else Progress(launcher.log)


def _owner(launcher: Any) -> Any:
    return launcher if launcher.parent is None else launcher.parent


def _handlers_of_streams(log: Any) -> list[logging.Handler]:
    """Return what writes into the cell, and not into files."""
    logger: logging.Logger | None = getattr(log, "logger", log)
    found: list[logging.Handler] = []
    while logger is not None:
        found += [item for item in logger.handlers if type(item) is logging.StreamHandler]
        logger = logger.parent if logger.propagate else None
    return found
