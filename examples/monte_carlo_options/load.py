"""Each engine's processor load while it works: what `top` shows on one machine, on all."""

import ipyparallel as ipp
import numpy as np

from .model import FloatArray


def start(client: ipp.Client, interval_s: float = 0.1) -> None:
    """Let a thread in each engine note the processor time that it has used, until stop()."""
    client[:].apply_sync(ipp.interactive(_start), interval_s)


def stop(client: ipp.Client) -> dict[int, tuple[FloatArray, FloatArray]]:
    """By engine: seconds since start(), and the load until then since the time before; 1 is a core.

    Raises RemoteError if start() was not called.
    """
    view = client[:]
    found = view.apply_sync(ipp.interactive(_stop))
    return {
        engine: (np.array(seconds[1:]), np.diff(cpu_s) / np.diff(seconds))
        for engine, (seconds, cpu_s) in zip(view.targets, found, strict=True)
    }


def _start(interval_s: float) -> None:
    """Travels by value; its global is one of the engine's own."""
    import threading
    import time

    class Watch(threading.Thread):
        def __init__(self) -> None:
            super().__init__(daemon=True)
            self.seconds: list[float] = []
            self.cpu_s: list[float] = []
            self.over = threading.Event()

        def run(self) -> None:
            begin_s = time.monotonic()
            while True:
                self.seconds.append(time.monotonic() - begin_s)
                self.cpu_s.append(time.process_time())
                if self.over.wait(interval_s):
                    return

    global monte_carlo_watch
    monte_carlo_watch = Watch()  # type: ignore[name-defined]
    monte_carlo_watch.start()  # type: ignore[name-defined]


def _stop() -> tuple[list[float], list[float]]:
    watch = monte_carlo_watch  # type: ignore[name-defined]
    watch.over.set()
    watch.join()
    return watch.seconds, watch.cpu_s
