"""Whether a process lives. One that has ended stays as a zombie until somebody reaps it."""

import time

import psutil


def is_alive(pid: int) -> bool:
    """Return whether the process runs; a zombie, which keeps its pid, does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def ends(pid: int, within_s: float = 30.0) -> bool:
    """Return whether a process that was told to end does; on busy cores that takes a moment."""
    deadline = time.monotonic() + within_s
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)
