"""Which files a running cluster is to have, by the profile's settings as they are now."""

from pathlib import Path
from typing import Any

from ..launchers import AzureVMControllerLauncher
from ..settings.placement import CONTROLLER, SHARED, is_set
from .profiles import profile_config


def settings_now(profile_dir: Path) -> dict[str, Any]:
    """Return the values of sync_paths, sync_limit_mb and sync_back, without `sync_`, where the
    profile's configuration sets them: a user who has named a file more wants it sent.

    What is not set there is as it was at the start of the cluster, which may have been started with
    settings of its own. Raises ConfigurationError for settings that can't be.
    """
    config = profile_config(profile_dir)
    settings = AzureVMControllerLauncher(config=config).settings()
    values = {
        name: getattr(settings, name) for name in ("sync_paths", "sync_limit_mb", "sync_back")
    }
    return {
        name.removeprefix("sync_"): value
        for name, value in values.items()
        if any(name in config[at] and is_set(config[at][name]) for at in (SHARED, CONTROLLER))
    }
