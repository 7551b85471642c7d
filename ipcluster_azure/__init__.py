"""ipyparallel clusters on Azure virtual machines. Importing this package does nothing."""

from typing import Any

# The cluster's own processes here, link and last visit, set this to False before they import
# anything else: errors.py then does without ipyparallel, which is half of their start-up.
launchers_run_here = True


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext ipcluster_azure` calls: brings the magic %sync."""
    from .commands.magic import SyncMagics

    shell.register_magics(SyncMagics)
