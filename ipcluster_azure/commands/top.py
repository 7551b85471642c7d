"""`ipcluster-azure top`: how busy each machine and each engine of a cluster is."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict

from traitlets import Bool

from ..clusters.guard_news import ask_load, follow_load
from ..clusters.load import ClusterLoad, load_of
from ..clusters.load_table import as_text
from ..record.file import RecordFile
from .base import print_now, say
from .one_cluster import OneClusterCommand
from .refresh import refreshing

ONCE = "Show it once and end."
JSON = "Print JSON, one object for each look."


class TopApp(OneClusterCommand):
    """Show how busy each machine and each engine of a cluster is, until Ctrl-C."""

    name = "ipcluster-azure-top"
    description = """Show how busy each machine and each engine of a cluster is, until Ctrl-C.

    CPU and memory, and how many tasks were begun, run, are done, and are done each second. A
    machine's CPU is in percent of all its processors, an engine's in percent of one. The engines'
    machines tell the controller's each second, which this command asks over SSH. Changes nothing.
    """
    examples = """
    ipcluster-azure top --profile=azure
    ipcluster-azure top --profile=azure --once --json
    """
    once = Bool(False, config=True, help=ONCE)
    as_json = Bool(False, config=True, help=JSON)

    flags = {  # noqa: RUF012
        "once": ({"TopApp": {"once": True}}, ONCE),
        "json": ({"TopApp": {"as_json": True}}, JSON),
    }

    def act(self) -> None:
        file = self.record_file()
        if self.once:
            record = file.require()
            print(self._in_words(load_of(record, asyncio.run(ask_load(file, record)))))
        elif self.as_json:
            self._keep_on(file, print_now)
        else:
            with refreshing() as show:
                self._keep_on(file, show)

    def _keep_on(self, file: RecordFile, show: Callable[[str], None]) -> None:
        following = follow_load(
            file,
            lambda record, told: show(self._in_words(load_of(record, told))),
            lambda why: say(f"no news: {why}"),
        )
        asyncio.run(following)

    def _in_words(self, load: ClusterLoad) -> str:
        return json.dumps(asdict(load)) if self.as_json else as_text(load)
