"""`ipcluster-azure sync`: brings a running cluster up to date, or its results home."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from IPython.paths import get_ipython_dir
from traitlets import Bool, Unicode

from ..clusters.profiles import profile_dir
from ..clusters.results import Brought, bring_back
from ..clusters.sync import Wish, sync
from ..clusters.sync_outcome import Outcome
from ..clusters.sync_settings import settings_now
from ..progress import Progress
from ..record.file import RecordFile
from ..settings.numbers import BoundedFloat
from ..stop.results import FOLDER, LIMIT_MB, Fetch
from .base import FAILURE, Command, log_to_output, say

FORCE = "Also while engines compute: their tasks may see old files and new ones, or end."
BACK = "Bring home files of these patterns from the engines' folders and JupyterLab instead."
MOST_MB = 1e9  # a petabyte: no limit
OF_BACK = ("to", "limit_mb")
OF_SENDING = ("folder", "force")
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class SyncApp(Command):
    """Bring packages, your modules and files on a running cluster up to date, or results home."""

    name = "ipcluster-azure-sync"
    description = """Bring packages, your modules and files on a running cluster up to date, or
    results home.

    Installs the packages of here that have changed, and sends what has changed of the files that
    the setting sync_paths names, and no more. Engines can import new packages at once, and import
    your modules anew at their next task. They are started anew only where a package or a compiled
    module has changed that they may have loaded. Nothing is changed while an engine computes,
    unless --force is given.

    With --back and patterns it brings results home instead, into a folder for each machine.
    """
    examples = """
    ipcluster-azure sync --profile=azure
    ipcluster-azure sync --profile=azure --from=project
    ipcluster-azure sync --profile=azure --back "results/*.csv" --to=results
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    cluster_id = Unicode("", config=True, help="The cluster's id, if it was started with one.")
    folder = Unicode(
        "",
        config=True,
        help="Folder whose modules and files are sent. Empty: that of before, at first the working "
        "directory of the start.",
    ).tag(word="FOLDER")
    force = Bool(False, config=True, help=FORCE)
    back = Bool(False, config=True, help=BACK)
    to = Unicode(
        FOLDER,
        config=True,
        help="With --back: where they go, each machine's into a folder of its own.",
    ).tag(word="FOLDER")
    limit_mb = BoundedFloat(
        LIMIT_MB,
        min=0,
        max=MOST_MB,
        config=True,
        help="With --back: bring nothing if there is more, in megabytes.",
    ).tag(word="N")

    aliases = {  # noqa: RUF012
        "profile": "SyncApp.profile",
        "cluster-id": "SyncApp.cluster_id",
        "from": "SyncApp.folder",
        "to": "SyncApp.to",
        "limit-mb": "SyncApp.limit_mb",
    }
    flags = {  # noqa: RUF012
        "force": ({"SyncApp": {"force": True}}, FORCE),
        "back": ({"SyncApp": {"back": True}}, BACK),
    }

    def _check(self, words: list[str]) -> None:
        if "--back" in words:  # the words behind it are patterns
            end = begin = words.index("--back") + 1
            while end < len(words) and not words[end].startswith("-"):
                end += 1
            words = words[:begin] + words[end:]
        super()._check(words)

    def act(self) -> None:
        folder = profile_dir(get_ipython_dir(), self.profile)
        try:
            outcome = self.work(RecordFile.of(str(folder), self.cluster_id), asyncio.run)
        except KeyboardInterrupt:
            say("not all machines may have been reached. The same command goes on with the others.")
            raise
        for line in outcome.lines:
            print(line)
        for problem in outcome.problems:
            say(problem)
        if outcome.problems:
            self.exit(FAILURE)

    def work(
        self, file: RecordFile, run: Run, python_path: tuple[str, ...] = ()
    ) -> Outcome | Brought:
        """Do what the options say; `run` runs a coroutine to its end.

        `python_path` is sys.path of a program that has the user's modules. Raises
        AzureLauncherError.
        """
        self._refuse_what_does_nothing()
        result: Outcome | Brought
        progress = Progress(log_to_output("ipcluster_azure.sync"))
        if self.back:
            wish = Fetch(self.extra_args, _absolute(self.to), self.limit_mb)
            result = run(bring_back(file, wish, progress))
        else:
            place = _absolute(self.folder) if self.folder else None
            settings = settings_now(file.profile_dir)
            wanted = Wish(**settings, folder=place, force=self.force, python_path=python_path)
            result = run(sync(file, wanted, progress))
        return result

    def _refuse_what_does_nothing(self) -> None:
        options = {trait: alias for alias, target in self.aliases.items() for trait in [target[8:]]}
        for name in OF_SENDING if self.back else OF_BACK:
            if name in self.config.SyncApp:
                condition = "with" if self.back else "without"
                self._refuse(f"--{options.get(name, name)} has no effect {condition} --back.")
        if self.back and not self.extra_args:
            self._refuse('--back needs patterns: --back "results/*.csv".')


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))
