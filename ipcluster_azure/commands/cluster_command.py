"""What `ipcluster-azure create`, `deploy` and `delete` have in common: one cluster, and signals."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from IPython.paths import get_ipython_dir
from traitlets import Unicode

from ..clusters.profiles import profile_dir
from ..errors import AzureLauncherError
from ..record.file import RecordFile
from .base import FAILURE, INTERRUPTED, Command, log_to_output, say_and_exit

# ipyparallel's own lines, which speak of what the user has not typed
OF_IPYPARALLEL = ("Starting ", "Stopping ", "Controller stopped", "engine set stopped")


class ClusterCommand(Command):
    """A command about one cluster of a profile. A subclass says in `ended` what is left when
    Ctrl-C or SIGTERM ends it, which it may not do before what it has begun is undone."""

    profile = Unicode("azure", config=True, help="Name of the profile.")
    cluster_id = Unicode("", config=True, help="The cluster's id, if it has one.")
    ended = ""

    aliases = {  # noqa: RUF012
        "profile": "ClusterCommand.profile",
        "cluster-id": "ClusterCommand.cluster_id",
    }

    def file(self) -> RecordFile:
        """Return the record's file; raises ConfigurationError if there is no such profile."""
        return RecordFile.of(str(profile_dir(get_ipython_dir(), self.profile)), self.cluster_id)

    def own_log(self) -> logging.Logger:
        log = log_to_output(f"ipcluster_azure.{self.name.rpartition('-')[2]}")
        log.addFilter(lambda entry: not str(entry.msg).startswith(OF_IPYPARALLEL))
        return log

    def work(self, work: Coroutine[Any, Any, str]) -> None:
        """Run it to its end, and print what it returns; a signal has it undo what it has begun."""
        signals: list[int] = []
        try:
            print(asyncio.run(_until_told_to_end(work, signals)))
        except asyncio.CancelledError:
            status = INTERRUPTED if signals[:1] == [signal.SIGINT] else FAILURE
            say_and_exit(f"interrupted. {self.ended}", status)
        except AzureLauncherError as error:
            say_and_exit(" ".join(str(error).split()))


async def _until_told_to_end(work: Coroutine[Any, Any, str], signals: list[int]) -> str:
    """Await the work; the first signal cancels it, and is noted, as are further ones."""
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()

    def end(number: int) -> None:
        signals.append(number)
        if len(signals) == 1:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # on Windows Ctrl-C interrupts asyncio.run itself
            loop.add_signal_handler(number, end, number)
    return await task
