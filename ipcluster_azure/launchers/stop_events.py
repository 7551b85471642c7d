"""One poller for each launcher -> stop events: notices what other processes do to the cluster."""

import threading
import time
import weakref
from typing import Any

from ..errors import AzureLauncherError
from ..record.file import WATCH_INTERVAL_S


def watch(launcher: Any) -> None:
    """Start a thread that notifies a launcher of its stop once it is no longer on record.

    It holds no reference to the launcher, so that the launcher's Cluster can be collected.
    """
    launcher.loop  # noqa: B018  # made here: the thread has none
    threading.Thread(
        target=_watch, args=(weakref.ref(launcher),), daemon=True, name="azurevm-watch"
    ).start()


def _watch(reference: "weakref.ref[Any]") -> None:
    told = False
    while (launcher := reference()) is not None and launcher.state != "after":
        try:
            record = launcher.record_file.read()
            gone = not launcher.is_on_record(record)
        except AzureLauncherError:
            record, gone = None, False
        if record is not None and record.ended_because and not told:
            told = True
            if launcher.speaks_for_cluster:
                launcher.log.critical("%s", record.ended_because)
        if gone:
            loop = launcher.loop.asyncio_loop
            if loop.is_running():
                launcher.loop.add_callback(launcher.stopped)
            else:  # that of a _sync call, closed long ago
                launcher.stopped()
            return
        del launcher
        time.sleep(WATCH_INTERVAL_S)
