"""How an ipcluster command ends after a failure: with exit status 1, and without a traceback.

ipcluster has no handler around what it calls. After an exception `ipcluster start` would run on,
without a cluster, for ever; and asyncio, which sees SystemExit come out of a task that gathers
others, prints for each of them all that led to it.
"""

import asyncio
import logging
from typing import Any, NoReturn

from .caller import goes_on

LAST_TASKS_S = 5.0
# what ipyparallel's commands say just before our launchers say it better
REPETITIONS = ("Stopping controller", "Stopping engine(s)", "Engine start failed")
_endings: set["asyncio.Task[None]"] = set()  # a loop alone does not keep its tasks


def end_command(app: Any, leave: Any = None) -> NoReturn:
    """Make the ipcluster command `app` exit with status 1; to be called on its event loop.

    Raises CancelledError, which ends the caller and what awaits it without a word. `leave`: the
    Cluster of ipyparallel's that could not be deleted, which it would else stop once more.
    """
    loop = asyncio.get_running_loop()
    if goes_on(app):
        ending = loop.create_task(_end(app, leave))
        _endings.add(ending)
        ending.add_done_callback(_endings.discard)
    else:  # asyncio.run itself ends the tasks that are left
        loop.call_soon(app.exit, 1)
    raise asyncio.CancelledError


async def _end(app: Any, leave: Any) -> None:
    """End all other tasks of this loop, since asyncio complains of those that are left; exit."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=LAST_TASKS_S)
    if leave is not None:
        keep_file(leave)
        leave.controller, leave.engines = None, {}
    asyncio.get_running_loop().call_soon(app.exit, 1)


def keep_file(cluster: Any) -> None:
    """Leave the file of ipyparallel's `cluster` as it is, for `ipcluster stop`, whatever comes.

    A stop of the cluster that goes on would remove it; a collected Cluster would stop again.
    """
    cluster.cluster_file, cluster.shutdown_atexit = "", False


def leave_out_repetitions(app: Any) -> None:
    """Keep those of ipyparallel's lines out of the command's log that repeat what we say."""
    if _is_news not in app.log.filters:
        app.log.addFilter(_is_news)


def _is_news(entry: logging.LogRecord) -> bool:
    return not str(entry.msg).startswith(REPETITIONS)


def expect_no_early_end(app: Any) -> None:
    """Keep the command from taking the end of engines in its first 30 s for a failed connection.

    They are registered: the advice and the logs that it would print are beside the point, and it
    would stop the whole cluster when another process has stopped one engine set.
    """
    if hasattr(app, "early_shutdown"):
        app.early_shutdown = 0
