"""What this process is for, and how it imports."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# The cluster's own processes on this computer, the link and the last visit, set this to False
# before they import anything else. errors.py then does without ipyparallel, which is half of their
# start-up.
launchers_run_here = True
_lock = threading.Lock()
_importing = 0
_collects = False


@contextmanager
def importing() -> Iterator[None]:
    """Import without the garbage collector, which would take a fifth of the time to find nothing.

    Several threads may at a time; the collector goes on with the last of them, if it was on.
    """
    global _importing, _collects
    with _lock:
        if not _importing:
            _collects = gc.isenabled()
            gc.disable()
        _importing += 1
    try:
        yield
    finally:
        with _lock:
            _importing -= 1
            if not _importing and _collects:
                gc.enable()
