"""Resource ids: as Azure's own functions build them and take them apart."""

import pytest
from azure.mgmt.core import tools

from ipcluster_azure.resource_ids import (
    ResourceId,
    collection_path,
    group_scope,
    parse_id,
    resource_id,
    subscription_scope,
)

SUBSCRIPTION = "5d1d1c1e-0000-4000-8000-00000000000a"
GROUP = group_scope(SUBSCRIPTION, "ipp-azure-12ab34cd")
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm"
IDS = [
    VM,
    VM.lower(),
    VM.upper(),
    VM.replace("resourceGroups", "resourcegroups"),
    f"{VM}/extensions/monitor",
    f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net/subnets/engines",
    f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0/"
    "networkInterfaces/nic",
    f"{group_scope(SUBSCRIPTION, 'a.group_(with)-marks')}/providers/Microsoft.Compute/disks/d_1",
    f"{group_scope(SUBSCRIPTION, 'größe')}/providers/Microsoft.Compute/disks/ü",
    f"{group_scope(SUBSCRIPTION, 'providers')}/providers/Microsoft.Compute/disks/providers",
    f"{GROUP}/providers/Microsoft.Compute/virtualMachines/subscriptions",
    f"{GROUP}/providers/Microsoft.Network/virtualNetworks/providers/subnets/engines",
    f"{subscription_scope(SUBSCRIPTION)}/providers/Microsoft.Authorization/roleDefinitions/r",
]
EXTENDING = [
    f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/a",
    f"{VM}/providers/Microsoft.Authorization/roleAssignments/a",
    f"{subscription_scope(SUBSCRIPTION)}/providers/Microsoft.Authorization/roleAssignments/a",
]


def parts_of(identity: str) -> tuple[str, list[str]]:
    """Type and names, by Azure's own function."""
    found = tools.parse_resource_id(identity)
    types, names = [found["namespace"], found["type"]], [found["name"]]
    for number in range(1, int(found.get("last_child_num") or 0) + 1):
        types.append(found[f"child_type_{number}"])
        names.append(found[f"child_name_{number}"])
    return "/".join(types), names


@pytest.mark.parametrize("identity", IDS)
def test_ids_are_taken_apart_as_azure_does(identity: str) -> None:
    theirs, (type_, names) = tools.parse_resource_id(identity), parts_of(identity)
    group = theirs.get("resource_group", "")
    assert parse_id(identity) == ResourceId(theirs["subscription"], group, type_, names[-1])


@pytest.mark.parametrize("identity", [item for item in IDS if "/resourceGroups/" in item])
def test_ids_are_built_as_azure_does(identity: str) -> None:
    theirs, (type_, names) = tools.parse_resource_id(identity), parts_of(identity)
    scope = group_scope(theirs["subscription"], theirs["resource_group"])
    assert resource_id(scope, type_, *names) == tools.resource_id(**theirs) == identity


@pytest.mark.parametrize("identity", EXTENDING)
def test_what_extends_a_resource_has_a_type_and_a_name_of_its_own(identity: str) -> None:
    found = parse_id(identity)
    assert (found.type, found.name) == ("Microsoft.Authorization/roleAssignments", "a")
    scope = identity.rpartition("/providers/")[0]
    assert resource_id(scope, found.type, found.name) == identity


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vm",
        subscription_scope(SUBSCRIPTION),
        GROUP,
        f"{GROUP}/providers/Microsoft.Compute",
        collection_path(GROUP, "Microsoft.Compute/virtualMachines"),
        f"{GROUP}/providers/Microsoft.Compute/virtualMachines/",
        f"{VM}/extensions",
        f"{GROUP}/providers/Microsoft.Compute//vm",
        f"https://management.azure.com{VM}",
        VM.removeprefix("/"),
    ],
)
def test_what_is_no_id_of_a_resource(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of an Azure resource"):
        parse_id(text)


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b", "c")])
def test_a_type_wants_as_many_names_as_it_has_parts(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        resource_id(GROUP, "Microsoft.Network/virtualNetworks/subnets", *names)
