"""One poller for each launcher -> stop events: notices what other processes do to the cluster.

Of the launchers that watch a cluster in one process, one says what has become of it: the
controller's, or an engine set's that has no controller's launcher beside it.
"""

import threading
import time
import weakref
from typing import Any

from ..errors import AzureLauncherError
from ..record.contents import Record
from ..record.file import WATCH_INTERVAL_S
from .join_news import JoinNews


def watch(launcher: Any) -> None:
    """Start a thread that notifies a launcher of its stop once it is no longer on record.

    It holds no reference to the launcher, so that the launcher's Cluster can be collected.
    """
    launcher.loop  # noqa: B018  # made here: the thread has none
    alone = getattr(launcher.parent, "controller", None) is None
    speaks = launcher.speaks_for_cluster or alone
    threading.Thread(
        target=_watch, args=(weakref.ref(launcher), speaks), daemon=True, name="azurevm-watch"
    ).start()


def _watch(reference: "weakref.ref[Any]", speaks: bool) -> None:
    told, deployment, news = False, None, _join_news(reference())
    while (launcher := reference()) is not None and launcher.state != "after":
        try:
            record = launcher.record_file.read()
            if deployment is None and record is not None:
                deployment = record.deployments
            another = _is_another(record, deployment)
            gone = another or not launcher.is_on_record(record)
        except AzureLauncherError:
            record, gone, another = None, False, False
        if news is not None:
            news.hear(record)
        if record is not None and record.ended_because and not told:
            told = True
            if speaks:
                launcher.log.critical("%s", record.ended_because)
        if gone:
            if not (told or launcher.ends_here or _start_goes_on(launcher)):
                _say_stopped_elsewhere(launcher, record, speaks, another=another)
            loop = launcher.loop.asyncio_loop
            if loop.is_running():
                launcher.loop.add_callback(launcher.stopped)
            else:  # that of a _sync call, closed long ago
                launcher.stopped()
            return
        del launcher
        time.sleep(WATCH_INTERVAL_S)


def _join_news(launcher: Any) -> JoinNews | None:
    set_id = getattr(launcher, "engine_set_id", "")
    return JoinNews(launcher.log, set_id) if set_id else None


def _is_another(record: Record | None, deployment: int | None) -> bool:
    """Return whether another process has ended what ran on the machines, perhaps to start anew."""
    return record is not None and (record.is_created or record.deployments != deployment)


def _start_goes_on(launcher: Any) -> bool:
    """Return whether a start, this launcher's or one beside it, says itself that it was stopped."""
    engines = getattr(launcher.parent, "engines", {})
    return any(part.is_starting for part in (launcher, *list(engines.values())))


def _say_stopped_elsewhere(
    launcher: Any, record: Record | None, speaks: bool, *, another: bool
) -> None:
    """Say why a launcher that nobody has stopped in this process ends; `another`: _is_another."""
    if another and record is not None and not record.deleting:
        if speaks:
            launcher.log.warning(
                "What ran on the cluster's machines was ended by another process, such as "
                "`ipcluster-azure deploy`. The machines are kept."
            )
    elif record is not None and not record.deleting:
        launcher.log.warning(
            "Engine set %s was stopped by another process; the cluster goes on.",
            launcher.engine_set_id,
        )
    elif speaks:
        launcher.log.warning(
            "The cluster was stopped by another process, such as `ipcluster stop`."
        )
