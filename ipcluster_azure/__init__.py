"""ipyparallel clusters on Azure virtual machines. Importing this package does nothing."""

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext ipcluster_azure` calls: brings the magic %sync."""
    from .commands.magic import SyncMagics

    shell.register_magics(SyncMagics)
