"""What a deployment in mode Complete does at its end: delete what is not in its template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from ..base.errors import ArmError
from ..base.store import Group, Resource
from ..state import Emulator


async def clean_up(
    em: Emulator,
    group: Group,
    keep: Collection[str],
    delete: Callable[[str], Awaitable[None]],
) -> None:
    """Delete all of the group's resources that are not kept.

    What is in use can be deleted only after what uses it, so it is tried again and again. keep: ids
    in lower case; children of what is kept stay too.
    """
    while doomed := [item for item in group.resources.values() if not _is_kept(em, item, keep)]:
        failure: ArmError | None = None
        before = len(doomed)
        for resource in doomed:
            try:
                await delete(resource.id)
            except ArmError as error:
                failure = error
        left = [item for item in group.resources.values() if not _is_kept(em, item, keep)]
        if len(left) >= before:
            if failure:
                raise failure
            return


def _is_kept(em: Emulator, resource: Resource, keep: Collection[str]) -> bool:
    """Return whether the template names it, or made it: a VM's disk, a scale set's machines."""
    if resource.key in keep:
        return True
    owners = [resource.top.get("managedBy")]
    for member in ("virtualMachine", "virtualMachineScaleSet"):
        reference = resource.properties.get(member)
        owners.append(reference.get("id") if isinstance(reference, dict) else None)
    found = [em.store.find(owner) for owner in owners if owner]
    return any(owner is not None and _is_kept(em, owner, keep) for owner in found)
