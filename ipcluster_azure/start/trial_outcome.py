"""What a trial has found, and how the process of trial.py ends. Runs in that process."""

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import psutil

from .trial_faults import judged

END_LOOK_S = 0.02


class Outcome:
    """What was found; `end` writes it and ends the process, once, from whichever thread."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self.refused: list[str] = []
        self.warned: list[str] = []
        self.files: list[tuple[str, str]] = []

    def add(self, error: BaseException, folder: str) -> None:
        mistake = judged(error, folder)
        (self.refused if mistake.certain else self.warned).append(mistake.text)

    def end(self) -> NoReturn:
        self._lock.acquire()  # for good: the other thread must not get in between
        refused, warned = dict.fromkeys(self.refused), dict.fromkeys(self.warned)
        members = {"refused": [*refused], "warned": [*warned], "files": self.files}
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(members), encoding="utf-8")
        part.replace(self._file)
        end_process()


def end_process() -> NoReturn:
    """End whatever was started from here, then this process, without a last word of either."""
    own = psutil.Process()
    while children := own.children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        if sys.platform != "win32":  # where nobody need collect them
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        time.sleep(END_LOOK_S)
    os._exit(0)
