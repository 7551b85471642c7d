"""What machines that never answered have printed as they booted, kept in the profile.

It is fetched before their start is undone, and beside nothing that matters more: a start that is
cancelled meanwhile is undone as at any other step.
"""

import asyncio
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import AzureLauncherError
from ..record.contents import Record
from ..resource_manager.api import AzureApi, bridge
from .request import StartContext

ANSWER_S = 4.0  # of Azure, and of its storage
WITHIN_S = 10.0  # for all of them
MOST = 3  # machines: those that fail together mostly fail alike


@dataclass(frozen=True)
class Silent:
    """A machine that did not come up, and why it counts as lost."""

    name: str
    vm_id: str
    why: BaseException


async def keep_boot_logs(
    api: AzureApi, context: StartContext, record: Record, machines: Iterable[Silent]
) -> None:
    """Keep the serial logs of some of the machines with the reasons, and say where. Never fails."""
    if not record.plan.machine.boot_diagnostics:
        return
    keeping = [asyncio.ensure_future(_keep(api, context, silent)) for silent in [*machines][:MOST]]
    if not keeping:
        return
    try:
        await asyncio.wait(keeping, timeout=WITHIN_S)
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)


async def _keep(api: AzureApi, context: StartContext, silent: Silent) -> None:
    from ..resource_manager.boot_diagnostics import boot_log  # with requests, hardly ever needed

    try:
        text = await bridge(functools.partial(boot_log, api, silent.vm_id, ANSWER_S))
    except AzureLauncherError as error:
        context.progress.log.debug("%s", error)
        return
    path = context.file.boot_log_path(silent.name)
    reason = " ".join(str(silent.why).split())
    context.file.add_to_log(path, f"{reason}\n\n==> serial log of {silent.name} <==\n{text}\n")
    context.progress.say(f"What {silent.name} printed as it booted is in {path}")
