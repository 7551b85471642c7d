"""All that is found out, tried and made before Azure is asked to create anything, at once."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Coroutine
from dataclasses import replace
from typing import Any

from ..record.user_files import Preparation
from ..resource_manager.api import bridge
from ..resource_manager.waiting import all_or_none
from ..settings.values import Settings
from .machine_python import prepare_python, tell
from .own_files import find_own_files
from .planning import Site
from .request import StartContext


async def find_out(
    context: StartContext,
    settings: Settings,
    finding_site: Coroutine[Any, Any, Site],
    trying: Awaitable[Preparation],
) -> Site:
    """Find where the cluster can be, try its configuration, lock the machines' Python, and read the
    user's files.

    `finding_site` is find_site's, or find_machines' where they are there already; `trying` is
    profile_trial.prepare's. Raises what speaks against the start, as soon as one of the four knows.
    """
    finding = asyncio.ensure_future(finding_site)
    trial = asyncio.ensure_future(trying)
    folder = context.file.environment_dir
    locking = asyncio.ensure_future(prepare_python(settings, folder, context.progress, finding))
    reading = asyncio.ensure_future(
        bridge(find_own_files, settings, context.file, working_directory(), [*sys.path])
    )
    await all_or_none(finding, trial, locking, reading)
    python, own_files = locking.result(), reading.result()
    if python is not None:
        tell(python, context.progress)
    for warning in own_files.warnings:
        context.progress.log.warning(warning)
    found = finding.result()
    return replace(found, preparation=trial.result(), python=python, own_files=own_files)


def working_directory() -> str:
    """Return this process' working directory, empty if it has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
