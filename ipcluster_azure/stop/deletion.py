"""What Azure is asked to delete: a cluster's own group, or what is a cluster's in another group."""

import asyncio
from collections.abc import Awaitable, Iterable
from itertools import compress
from typing import TypeVar

from ..errors import AzureLauncherError, RequestRefused
from ..plan import resource_types
from ..progress import Progress
from ..resource_ids import parse_id
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import Looks

T = TypeVar("T")
IN_ORDER_TIMEOUT_S = 600.0
DELETE_AGAIN_S = 5.0
# An interface is kept for 180 s for a machine that could not be made, as Azure's message says; what
# is being deleted is in use for some seconds more.
NOT_YET_TIMEOUT_S = 240.0
NOT_YET_CODES = frozenset(
    {
        "NicReservedForAnotherVm",
        "NicInUse",
        "PublicIPAddressCannotBeDeleted",
        "InUseSubnetCannotBeDeleted",
        "InUseNetworkSecurityGroupCannotBeDeleted",
        "AnotherOperationInProgress",
        "RetryableErrorDueToAnotherOperation",
    }
)
MACHINES, PARTS_OF_SCALE_SETS, THE_REST = "machines", "parts of scale sets", "the rest"
# none of these needs one that comes after it
STEPS = (
    MACHINES,
    PARTS_OF_SCALE_SETS,
    resource_types.NIC.lower(),
    resource_types.PUBLIC_IP.lower(),
    resource_types.VIRTUAL_NETWORK.lower(),
    resource_types.NSG.lower(),
    THE_REST,
)


async def delete_whole_group(api: AzureApi, group: str, resources: Iterable[str]) -> None:
    """Delete a cluster's own group; returns when Azure has accepted that."""
    # machines first: their billing ends minutes before the group is gone
    deletions = (bridge(api.delete, item) for item in _steps(resources)[MACHINES])
    await asyncio.gather(*deletions, return_exceptions=True)  # the group's deletion decides
    await bridge(api.delete_group, group)


async def delete_in_order(api: AzureApi, resources: Iterable[str], progress: Progress) -> None:
    """Delete a cluster's `resources` in a group that isn't ours; returns when all are gone.

    What others need is deleted after them, and all else at once; first come all machines, as they
    cost money.
    Raises AzureLauncherError if Azure refuses, or doesn't do it.
    """
    deadline = asyncio.get_running_loop().time() + IN_ORDER_TIMEOUT_S
    for step, items in _steps(resources).items():
        found = await _each(_delete(api, item, progress) for item in items)
        going = list(compress(items, found))
        if going and step == MACHINES:
            progress.say("Azure has accepted the deletion of the machines")
        await _each(_wait_until_gone(api, item, deadline, progress) for item in going)


def _steps(resources: Iterable[str]) -> dict[str, list[str]]:
    """Return what is to be deleted in each of STEPS. The machines of a scale set go with it."""
    parsed = {item: parse_id(item.lower()) for item in resources}
    scale_sets = (
        one.name for one in parsed.values() if one.type == resource_types.SCALE_SET.lower()
    )
    of_scale_sets = tuple(f"{name}_" for name in scale_sets)
    steps: dict[str, list[str]] = {step: [] for step in STEPS}
    for item, one in parsed.items():
        if one.type in (resource_types.SCALE_SET.lower(), resource_types.VIRTUAL_MACHINE.lower()):
            is_part = one.name.startswith(of_scale_sets)
            steps[PARTS_OF_SCALE_SETS if is_part else MACHINES].append(item)
        else:
            steps[one.type if one.type in STEPS else THE_REST].append(item)
    return steps


async def _each(tasks: Iterable[Awaitable[T]]) -> list[T]:
    """Return all results; a failure keeps no other task from its end, and is raised after that."""
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes  # type: ignore[return-value]


async def _delete(api: AzureApi, resource: str, progress: Progress) -> bool:
    """Ask for a deletion until Azure accepts it; False if there is nothing to delete."""
    loop = asyncio.get_running_loop()
    deadline, said = loop.time() + NOT_YET_TIMEOUT_S, ""
    while True:
        try:
            return await bridge(api.delete, resource)
        except RequestRefused as error:
            if error.code not in NOT_YET_CODES or loop.time() > deadline:
                raise
            if error.code != said:
                progress.say(f"{error} Asking again until it can be")
                said = error.code
        await asyncio.sleep(DELETE_AGAIN_S)


async def _wait_until_gone(
    api: AzureApi, resource: str, deadline: float, progress: Progress
) -> None:
    loop = asyncio.get_running_loop()
    looks, asked_at = Looks(), loop.time()
    while state := await bridge(api.state_of, resource):
        if state != "Deleting" and loop.time() > asked_at + DELETE_AGAIN_S:
            # Azure had accepted that, and failed
            await _delete(api, resource, progress)
            looks, asked_at = Looks(), loop.time()
        if loop.time() > deadline:
            raise AzureLauncherError(
                f"Azure has not deleted {resource} within {IN_ORDER_TIMEOUT_S:.0f} s. Run the same "
                "command again."
            )
        await looks.pause()
