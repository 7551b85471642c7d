"""Which files and packages a running cluster is to have, by the profile's settings of now."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..environment.selection import Selection, Target
from ..launchers import AzureVMControllerLauncher
from ..settings.environment_checks import IMAGE, check_environment
from ..settings.placement import CONTROLLER, SHARED, is_set
from ..start.asked_packages import INTERPRETER, selection_and_target
from ..start.machine_python import selection_of
from .profiles import profile_config

OF_FILES = ("sync_paths", "sync_limit_mb", "sync_back")
OF_PACKAGES = (
    "requirements",
    "sync_python",
    "python_lock",
    "sync_exclude",
    "sync_accept",
    "sync_strict",
)


def settings_now(profile_dir: Path) -> dict[str, Any]:
    """Return the values of sync_paths, sync_limit_mb and sync_back, without `sync_`, where the
    profile's configuration sets them: a user who has named a file more wants it sent.

    What is not set there is as it was at the start of the cluster, which may have been started with
    settings of its own. Raises ConfigurationError for settings that can't be.
    """
    values = _set_now(profile_dir, OF_FILES)
    return {name.removeprefix("sync_"): value for name, value in values.items()}


def selection_now(
    profile_dir: Path, asked: Mapping[str, Any], *, by_shell: bool
) -> tuple[Selection, Target] | None:
    """Return which packages the cluster is to have, likewise; None if it is those of the image.

    `asked` is on record. A command of a shell (`by_shell`) may run in another environment than that
    which started the cluster, which counts. Raises ConfigurationError as settings_now.
    """
    before, target = selection_and_target(asked)
    names = ("python_environment", *OF_PACKAGES)
    now = {
        "python_environment": before.kind,
        **{name: getattr(before, name) for name in OF_PACKAGES},
    }
    now |= _set_now(profile_dir, names)
    if now["python_environment"] == IMAGE:
        return None
    settings = replace(AzureVMControllerLauncher().settings(), **now)
    check_environment(settings)
    selection, interpreter = selection_of(settings), Path(asked[INTERPRETER])
    elsewhere = interpreter.parent != Path(sys.executable).parent and interpreter.exists()
    if by_shell and elsewhere and not (selection.sync_python or selection.python_lock):
        selection = replace(selection, sync_python=str(interpreter), imported=frozenset())
    return selection, target


def _set_now(profile_dir: Path, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of those settings that the profile's configuration sets."""
    config = profile_config(profile_dir)
    settings = AzureVMControllerLauncher(config=config).settings()
    return {
        name: getattr(settings, name)
        for name in names
        if any(name in config[at] and is_set(config[at][name]) for at in (SHARED, CONTROLLER))
    }
