"""No body of Microsoft.Compute, however wrong, is answered by an internal error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest

from ...complete import COMPLETE
from ..cloud import LOCATION, Keys, Site, vm_body
from .test_uniform import uniform_body

GONE = "(gone)"
WRONG = (GONE, None, [], {}, "x", -1, True, [{}])
Mutation: TypeAlias = tuple[tuple[Any, ...], Any]


def mutations(body: Any, path: tuple[Any, ...] = ()) -> Iterator[Mutation]:
    """(path, what to put there): each member and item of the body, with each wrong value."""
    items = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in items:
        here = (*path, key)
        for wrong in WRONG:
            yield here, wrong
        if isinstance(value, dict | list):
            yield from mutations(value, here)


def a_share_of(all_of_them: Iterator[Mutation]) -> Iterator[Mutation]:
    """All if COMPLETE, else two for each member or item, of its own: the others are much alike."""
    for number, (place, wrong) in enumerate(all_of_them):
        turn = number // len(WRONG)
        if COMPLETE or number % len(WRONG) in (turn % len(WRONG), (turn + 3) % len(WRONG)):
            yield place, wrong


def mutated(body: dict[str, Any], path: tuple[Any, ...], wrong: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    if wrong == GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = wrong
    return changed


@pytest.fixture
def bodies(site: Site, keys: Keys) -> dict[str, dict[str, Any]]:
    subnet = site.network()
    machine = vm_body(keys, site.nic("nic", subnet)["id"])
    data_disk = {"lun": 0, "createOption": "Empty", "diskSizeGB": 1, "managedDisk": {}}
    machine["properties"]["storageProfile"]["dataDisks"] = [data_disk]
    machine |= {"identity": {"type": "SystemAssigned"}, "zones": ["1"], "tags": {"a": "b"}}
    machine["properties"] |= {"priority": "Spot", "billingProfile": {"maxPrice": 1}}
    scale_set = uniform_body(keys, subnet, 1)
    model = scale_set["properties"]["virtualMachineProfile"]
    model["storageProfile"]["dataDisks"] = [data_disk]
    settings = {"publisher": "a", "type": "b", "typeHandlerVersion": "1", "settings": {}}
    model["extensionProfile"] = {"extensions": [{"name": "e", "properties": settings}]}
    data = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}
    disk = {"location": LOCATION, "sku": {"name": "Premium_LRS"}, "properties": data}
    return {"virtualMachines": machine, "virtualMachineScaleSets": scale_set, "disks": disk}


@pytest.mark.parametrize("kind", ["virtualMachines", "virtualMachineScaleSets", "disks"])
def test_wrong_bodies_are_refused_or_taken(
    site: Site, bodies: dict[str, dict[str, Any]], kind: str
) -> None:
    body = bodies[kind]
    path = site.provider(kind, "one")
    answer = site.cloud.call("PUT", path, body)
    assert answer.status in (201, 202), answer
    changeable = {key: item for key, item in body.items() if key not in ("location", "zones")}
    for place, wrong in a_share_of(mutations(body)):
        answer = site.cloud.call("PUT", path, mutated(body, place, wrong))
        assert answer.status < 500, (place, wrong, answer)
    for place, wrong in a_share_of(mutations(changeable)):
        answer = site.cloud.call("PATCH", path, mutated(changeable, place, wrong))
        assert answer.status < 500, (place, wrong, answer)
