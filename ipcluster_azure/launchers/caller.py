"""Who calls a launcher: which ipcluster command, and which method of ipyparallel's Cluster.

The one place that leans on ipyparallel's inside. A launcher's contract doesn't say what comes next,
but two things depend on it: whether engines are started on the event loop of this call, so that
they can be requested beside the controller; and whether they are started again on machines that a
stop would delete. `caller` tells it by the names of ipyparallel's functions on the call stack. If
these names change, a start asks for one machine after the other, and a stop keeps machines.
"""

import os
import sys
from collections.abc import Iterator
from enum import Enum
from types import FrameType
from typing import Any

from tornado.ioloop import IOLoop
from traitlets.config import Application

CLUSTER_MODULE = "ipyparallel.cluster.cluster"
# functions of that module: those that start a part of a cluster alone, those that stop engines for
# good, and those that stop what a program has left
STARTS = frozenset({"start_controller", "start_engines"})
STOPS = frozenset({"stop_engines", "stop_controller", "stop_cluster", "__exit__", "__aexit__"})
WAITING = (CLUSTER_MODULE, "start_and_connect")
CLEAN_UPS = frozenset({"_atexit_cleanup_clusters", "__del__"})


class Caller(Enum):
    """What called a launcher's start() or stop().

    CLEAN_UP is the exit of Python, or the end of a Cluster that nobody refers to any more: there is
    nobody to handle an error. UNKNOWN is a function of ipyparallel's that this version has never
    heard of: it may be what restart_engines is called by then. OTHER are those that are known, and
    programs that call a launcher themselves.
    """

    START_CLUSTER = "start_cluster"
    RESTART_ENGINES = "restart_engines"
    CLEAN_UP = "clean-up"
    OTHER = "other"
    UNKNOWN = "unknown"


def caller() -> Caller:
    """Say what called, by the names of the functions of ipyparallel's cluster.py on the stack."""
    names = {
        frame.f_code.co_name
        for frame in _stack()
        if frame.f_globals.get("__name__") == CLUSTER_MODULE
    }
    for known in (Caller.RESTART_ENGINES, Caller.START_CLUSTER):
        if known.value in names:
            return known
    if names & CLEAN_UPS:
        return Caller.CLEAN_UP
    return Caller.OTHER if names <= STARTS | STOPS else Caller.UNKNOWN


def is_waited_for() -> bool:
    """Return whether ipyparallel itself will wait for all engines once the start has returned.

    It gives them a minute, which is for their registration and not for machines that boot.
    """
    return any(
        (frame.f_globals.get("__name__"), frame.f_code.co_name) == WAITING for frame in _stack()
    )


def engines_to_start(cluster: Any) -> int | None:
    """Return how many engines come next, as far as that is known while the controller starts.

    ipyparallel tells a launcher only what the Cluster itself was given: the number in a call of
    start_cluster stands on the stack, and where it is left out too, there will be one per CPU.
    """
    of_cluster: int | None = getattr(cluster, "n", None)
    for frame in _stack():
        names = frame.f_globals.get("__name__"), frame.f_code.co_name
        if names == (CLUSTER_MODULE, Caller.START_CLUSTER.value):
            asked = engines_asked(cluster)
            return os.cpu_count() if asked is None else asked
    return of_cluster


def engines_asked(cluster: Any) -> int | None:
    """Return how many engines the user has asked for; None if they are left to be chosen."""
    of_cluster: int | None = getattr(cluster, "n", None)
    for frame in _stack():
        names = frame.f_globals.get("__name__"), frame.f_code.co_name
        if names == (CLUSTER_MODULE, Caller.START_CLUSTER.value):
            asked: int | None = frame.f_locals.get("n")
            return asked if asked is not None else of_cluster
    return of_cluster


def _stack() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def ipcluster_app(launcher: Any) -> Any:
    """The ipcluster command that this launcher works for, or None in a program of the user's."""
    from ipyparallel.cluster.app import BaseParallelApplication

    parent = launcher.parent
    while parent is not None and not isinstance(parent, BaseParallelApplication):
        parent = parent.parent
    return parent


def is_stopping(app: Any) -> bool:
    """Return whether this ipcluster command was told to stop its cluster, and will end then."""
    return bool(getattr(app, "_stopping", False))


def goes_on(app: Any) -> bool:
    """Return whether the event loop of this ipcluster command goes on when its tasks have ended.

    `ipcluster start` and `engines` run until something ends them, the others use asyncio.run.
    """
    from ipyparallel.cluster.app import IPClusterEngines

    return isinstance(app, IPClusterEngines)


def starting_app() -> Any:
    """The `ipcluster start` whose own start() called, None if that isn't what called."""
    if "ipyparallel.cluster.app" not in sys.modules:
        return None
    from ipyparallel.cluster.app import IPClusterStart

    start = IPClusterStart.start.__code__
    frames = (frame for frame in _stack() if frame.f_code is start)
    return next((frame.f_locals.get("self") for frame in frames), None)


def ready_for_signals() -> None:
    """Make the event loop that an ipcluster command is going to run, if one is being launched.

    It would make it when it first needs it, and so do its signal handlers: a signal in just these
    milliseconds is told to another loop, which never runs. Now there are no handlers yet.
    """
    if is_launching():
        IOLoop.current()


def is_launching() -> bool:
    """Return whether this is called within the launch of an ipcluster command."""
    if "ipyparallel.cluster.app" not in sys.modules:
        return False
    launch = Application.launch_instance.__code__
    return any(frame.f_code is launch for frame in _stack())
