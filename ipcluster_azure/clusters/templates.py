"""Writes the job files of a new cluster, as a profile is configured."""

import asyncio
from pathlib import Path
from typing import Any

from ..launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ..launchers.job_files import write_job_files
from .profiles import profile_config


def write_templates(
    profile_dir: Path, cluster_id: str, n: int, folder: Path, log: Any, *, nested: bool
) -> list[Path]:
    """Write the job files of a cluster with `n` engines to `folder`, and their secrets.

    Returns the paths as write_job_files does. Raises AzureLauncherError.
    """
    given = {
        "config": profile_config(profile_dir),
        "profile_dir": str(profile_dir),
        "cluster_id": cluster_id,
    }
    controller, engines = AzureVMControllerLauncher(**given), AzureVMEngineSetLauncher(**given)
    return asyncio.run(write_job_files(controller, engines, n, folder, log, nested=nested))
