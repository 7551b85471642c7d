"""What is told while an environment is prepared: a line every few seconds, whatever takes long."""

import threading
import time
from collections.abc import Callable

SAY_EVERY_S, LOOK_EVERY_S = 3.5, 0.25
Say = Callable[[str], None]


class Telling:
    """Says the current task again and again, from a thread of its own, until the block ends."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said_at = time.monotonic()
        self.now("Reading what is installed here")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="telling", daemon=True)

    def now(self, task: str) -> None:
        """`task` is what is being done from now on, such as "Building spam"."""
        self._task, self._since = task, time.monotonic()

    def say(self, text: str) -> None:
        """Say this at once, instead of the task."""
        self._said_at = time.monotonic()
        self._say(text)

    def __enter__(self) -> "Telling":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _repeat(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            if time.monotonic() - self._said_at >= SAY_EVERY_S:
                self.say(f"{self._task}, {time.monotonic() - self._since:.0f} s so far")
