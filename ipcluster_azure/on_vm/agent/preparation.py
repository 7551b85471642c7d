"""What prepares an engine: files that were sent for it to run, and what goes wrong in any of that.

ipyparallel registers an engine whose startup files, exec_lines or extensions have failed, too.
Needs ipyparallel. Linux.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# in the profile: [[name in the configuration, path in the profile], ...]; no path: it was not there
SENT_FILES = "sent_files.json"
LONGEST_TEXT = 300  # characters; the whole traceback is in the log
MOST_FAULTS = 10  # that are told of one engine
# what IPython only writes to the log when something that it was to run isn't there, or fails
LOGGED = ("File not found", "Error in loading extension", "Exception while loading config file")
CODE = "exec_lines or startup_command"


class Preparation:
    """Watches an IPEngine until it is registered; `tell` hears each fault, as one line of text."""

    def __init__(self, app: Any, profile: Path, tell: Callable[[str], None]) -> None:
        self._app, self._profile, self._tell = app, profile, tell
        self._sent = _sent_files(profile)
        self._told = 0
        self._noted: BaseException | None = None
        app.log.addFilter(self._on_log)
        app.observe(lambda change: self._watch(change.new.shell), "kernel")

    def use_sent_files(self) -> None:
        """Have the engine run the files that were sent where its configuration has others' paths.

        The configuration is read here anew, so that a name may be another: ~ is another folder. The
        order is the same.
        """
        config = self._app.config
        paths = [path for _, path in self._sent]
        count = len(config.IPKernelApp.exec_files)
        if count <= len(paths):
            config.IPKernelApp.exec_files, paths = paths[:count], paths[count:]
        for section in ("IPKernelApp", "InteractiveShellApp"):
            if "file_to_run" in config[section] and paths:
                config[section].file_to_run = paths.pop(0)

    def end(self) -> None:
        """Take no notice any more: tasks' exceptions are their clients' business."""
        self._told = MOST_FAULTS
        self._app.log.removeFilter(self._on_log)

    def note(self, error: BaseException) -> None:
        """Tell of an exception, with the file and line of the user's that it came from."""
        if self._told < MOST_FAULTS:  # IPython would send it to clients, and there are none yet
            traceback.print_exception(error, file=sys.__stderr__)
        said = str(error.msg if isinstance(error, SyntaxError) else error).partition("\n")[0]
        self._say(f"{self._place(error)}{type(error).__name__}: {said}")

    def _say(self, text: str) -> None:
        if self._told < MOST_FAULTS:
            self._told += 1
            self._tell(text[:LONGEST_TEXT].rstrip("."))

    def _on_log(self, entry: logging.LogRecord) -> bool:
        text = entry.getMessage().partition("\n")[0]
        if text.startswith(LOGGED):
            error = entry.exc_info[1] if entry.exc_info else None
            place = self._place(error) if error is not None else ""
            why = f": {place}{type(error).__name__}: {error}".partition("\n")[0] if error else ""
            self._say(f"{text}{why}")
        return True

    def _watch(self, shell: Any) -> None:
        """Note what the shell shows: each exception in code that it runs, and misused magics."""
        for name in ("showtraceback", "showsyntaxerror", "show_usage_error"):
            show = getattr(shell, name)

            def show_and_note(*shown: Any, show: Callable[..., Any] = show, **options: Any) -> Any:
                given = [item[1] for item in shown if isinstance(item, tuple) and len(item) == 3]
                error = next(iter(given), None) or sys.exc_info()[1]
                if error is not None and error is not self._noted:
                    self._noted = error
                    self.note(error)
                return show(*shown, **options)

            setattr(shell, name, show_and_note)

    def _place(self, error: BaseException) -> str:
        """Return file and line in words: the last of the user's own that the exception passed."""
        passed = traceback.extract_tb(error.__traceback__)
        frames = [(frame.filename, frame.lineno, frame.line) for frame in passed]
        if isinstance(error, SyntaxError) and error.filename:
            frames.append((error.filename, error.lineno, error.text))
        for filename, number, line in reversed(frames):
            if name := self._own_name(filename):
                which = f" ({line.strip()})" if name == CODE and line else ""
                return f"{name}, line {number}{which}: "
        return ""

    def _own_name(self, filename: str) -> str:
        """Return what the user calls a file, or empty if it is none of his."""
        for name, path in self._sent:
            if filename == path:
                return name
        if filename.startswith(f"{self._profile}{os.sep}"):
            return str(Path(filename).relative_to(self._profile))
        return "" if os.path.exists(filename) or filename.startswith("<frozen") else CODE


def _sent_files(profile: Path) -> list[tuple[str, str]]:
    try:
        sent = json.loads((profile / SENT_FILES).read_text(encoding="utf-8"))
    except OSError:
        return []
    return [(name, str(profile / path) if path else name) for name, path in sent]
