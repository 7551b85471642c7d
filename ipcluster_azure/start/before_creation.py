"""All that is found out, tried and made before Azure is asked to create anything, at once."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from ..record.contents import Preparation
from ..resource_manager.waiting import all_or_none
from ..settings.values import Settings
from .deployment import find_site
from .machine_python import prepare_python, tell
from .planning import Site
from .request import StartContext


async def find_out(
    context: StartContext,
    settings: Settings,
    engine_settings: Settings | None,
    n: int | None,
    trying: Awaitable[Preparation],
) -> Site:
    """Find where the cluster can be, try its configuration, and lock the machines' Python.

    `engine_settings` and `n` are as for find_site; `trying` is profile_trial.prepare's. Raises what
    speaks against the start, as soon as one of the three knows.
    """
    finding = asyncio.ensure_future(find_site(context.file, settings, engine_settings, n))
    trial = asyncio.ensure_future(trying)
    folder = context.file.environment_dir
    locking = asyncio.ensure_future(prepare_python(settings, folder, context.progress, finding))
    await all_or_none(finding, trial, locking)
    python = locking.result()
    if python is not None:
        tell(python, context.progress)
    return replace(finding.result(), preparation=trial.result(), python=python)
