"""`ipcluster-azure status`: the clusters of one profile."""

import time
from pathlib import Path
from typing import NoReturn

from IPython.paths import get_ipython_dir
from traitlets import Bool, Unicode

from ..clusters.old_spelling import advice, old_names
from ..clusters.profiles import profile_dir
from ..clusters.status import ClusterStatus, as_json, as_text, clusters
from .base import FAILURE, Command, print_now, say
from .refresh import refreshing

WATCH = "Show it anew every few seconds, until Ctrl-C."
WATCH_S = 5.0  # between two looks: each asks Azure, which counts the questions


class StatusApp(Command):
    """Show the clusters of a profile: machines, engines, tunnels, how busy they are."""

    name = "ipcluster-azure-status"
    description = """Show the clusters of a profile: machines, engines, tunnels, how busy they are.

    Asks Azure and the controllers at once, and changes nothing. A controller whose SSH port can't
    be reached is given 2 s.
    """
    examples = """
    ipcluster-azure status --profile=azure
    ipcluster-azure status --profile=azure --json
    ipcluster-azure status --profile=azure --watch
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    as_json = Bool(False, config=True, help="Print JSON instead of text.")

    watch = Bool(False, config=True, help=WATCH)

    aliases = {"profile": "StatusApp.profile"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        "json": ({"StatusApp": {"as_json": True}}, "Print JSON instead of text."),
        "watch": ({"StatusApp": {"watch": True}}, WATCH),
    }

    def act(self) -> None:
        folder = profile_dir(get_ipython_dir(), self.profile)
        if self.watch:
            self._watch(folder)
        found = clusters(folder)
        print(self._in_words(found))
        if old := old_names(folder / "ipcluster_config.py"):
            say(advice(self.profile, old))
        if any(status.problem for status in found):
            self.exit(FAILURE)

    def _watch(self, folder: Path) -> NoReturn:
        if self.as_json:
            while True:
                print_now(self._in_words(clusters(folder)))
                time.sleep(WATCH_S)
        with refreshing() as show:
            while True:
                show(self._in_words(clusters(folder)))
                time.sleep(WATCH_S)

    def _in_words(self, found: list[ClusterStatus]) -> str:
        return as_json(found) if self.as_json else as_text(self.profile, found)
