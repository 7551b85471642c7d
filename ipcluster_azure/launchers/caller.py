"""What surrounds a launcher: the ipcluster command, the call that led to it, its event loop."""

import asyncio
import functools
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from tornado.ioloop import IOLoop
from traitlets.config import Application

OTHERS_START_TIMEOUT_S = 6.0


def ipcluster_app(launcher: Any) -> Any:
    """The ipcluster command that this launcher works for, if one does."""
    from ipyparallel.cluster.app import BaseParallelApplication

    parent = launcher.parent
    while parent is not None and not isinstance(parent, BaseParallelApplication):
        parent = parent.parent
    return parent


def ready_for_signals() -> None:
    """Make the event loop that an ipcluster command is going to run, if one is being launched.

    It would make it when it first needs it, and so do its signal handlers: a signal in just these
    milliseconds is told to another loop, which never runs. Now there are no handlers yet.
    """
    if "ipyparallel.cluster.app" in sys.modules and _called_by(Application.launch_instance):
        IOLoop.current()


def is_stopping(app: Any) -> bool:
    """Whether this ipcluster command was told to stop its cluster, and ends when that is done."""
    return bool(getattr(app, "_stopping", False))


def restarting() -> bool:
    """Whether Cluster.restart_engines is what called: stop() can't tell it from a stop."""
    from ipyparallel.cluster.cluster import Cluster

    return _called_by(Cluster.restart_engines)


def engines_come_next() -> bool:
    """Whether Cluster.start_cluster is what called: it starts engines next, on the same loop."""
    from ipyparallel.cluster.cluster import Cluster

    return _called_by(Cluster.start_cluster)


def _called_by(method: Any) -> bool:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code is method.__code__:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


async def first_of(task: "asyncio.Future[None]", other: Coroutine[Any, Any, object]) -> None:
    """Return when either is done, raising what `task` raised; a `task` that goes on is left to."""
    waiting = asyncio.ensure_future(other)
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        waiting.cancel()


def in_own_loop(coroutine: Any) -> Any:
    """Run a coroutine for a caller that isn't one, whether or not a loop runs here."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(_outcome(coroutine)))
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _outcome(coroutine: Any) -> Any:
    try:
        return asyncio.run(coroutine)
    except BaseException as error:
        return error


async def wait_until_started(controller: Any) -> None:
    """Return once another launcher's controller answers, or after some seconds.

    ipcontroller that is ended while it starts its own processes leaves them behind; it answers
    when it has started them and handles signals.
    """
    from ipyparallel import Client

    with suppress(Exception):
        info = await controller.get_connection_info(timeout=OTHERS_START_TIMEOUT_S)
        connect = functools.partial(Client, info["client"], timeout=OTHERS_START_TIMEOUT_S)
        (await asyncio.to_thread(connect)).close()
