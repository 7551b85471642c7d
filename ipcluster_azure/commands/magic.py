"""`%sync` in a notebook: `ipcluster-azure sync` for the cluster of the notebook."""

import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

from ipyparallel.cluster.cluster import Cluster
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.paths import get_ipython_dir

from ..clusters.profiles import profile_dir
from ..clusters.sync_outcome import Outcome
from ..errors import AzureLauncherError
from ..launchers.base import AzureVMBase
from ..launchers.own_loop import in_own_loop
from ..on_vm.agent.own_files import renew
from ..record.file import RecordFile
from . import sync


class SyncApp(sync.SyncApp):  # by another name, traitlets would not know the options
    """The command's options, whose mistakes are shown in the cell."""

    def _refuse(self, reason: str) -> NoReturn:
        raise UsageError(f"%sync: {reason}")


@magics_class
class SyncMagics(Magics):  # type: ignore[misc]
    """What `%load_ext ipcluster_azure` brings."""

    @line_magic  # type: ignore[untyped-decorator]
    def sync(self, line: str) -> None:
        """Bring packages and your files on the cluster up to date: %sync [--force] [--from=FOLDER]

        Takes the options of `ipcluster-azure sync`, and without --profile and --cluster-id the
        cluster that this notebook has started. Your modules that have changed are imported anew in
        the notebook, too.
        """
        options = SyncApp()
        options.parse_command_line(shlex.split(line))
        try:
            outcome = options.work(self._file(options), in_own_loop, tuple(sys.path))
        except AzureLauncherError as error:
            raise UsageError(str(error)) from None
        for text in outcome.lines:
            print(text)
        if isinstance(outcome, Outcome):
            self._renew(outcome)
        if outcome.problems:
            raise UsageError("; ".join(outcome.problems))

    def _file(self, options: SyncApp) -> RecordFile:
        given = options.config.SyncApp
        if "profile" not in given and "cluster_id" not in given:
            found = {
                (cluster.profile_dir, cluster.cluster_id)
                for cluster in self.shell.user_ns.values()
                if isinstance(cluster, Cluster) and isinstance(cluster.controller, AzureVMBase)
            }
            if len(found) > 1:
                raise UsageError("%sync: there are several clusters here; name one: --cluster-id=")
            for folder, cluster_id in found:
                return RecordFile.of(folder, cluster_id)
        folder = str(profile_dir(get_ipython_dir(), options.profile))
        return RecordFile.of(folder, options.cluster_id)

    def _renew(self, outcome: Outcome) -> None:
        """Have this kernel import what has changed anew: functions that it sends are its own."""
        if not any(name.endswith(".py") for name in outcome.changed):
            return
        names = {*outcome.manifest.files, *outcome.changed}
        files = [str(Path(outcome.folder, name)) for name in names]
        space: dict[str, Any] = self.shell.user_ns
        for error in renew(files, space):
            print(f"Here: {type(error).__name__}: {error}", file=sys.stderr)
