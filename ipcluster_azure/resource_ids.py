"""Azure's resource ids, built and taken apart in this one place. Pure.

    /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/NAMESPACE/TYPE/NAME[/TYPE/NAME ...]

Azure's own functions for that, in azure.mgmt.core.tools, can't be imported everywhere: the plan,
the record and the guard's settings are made without the Azure SDK. The tests hold these functions
against those.
"""

import re
from dataclasses import dataclass

PATTERN = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)(/resourceGroups/(?P<group>[^/]+))?"
    r"(/.+)?/providers/(?P<namespace>[^/.]+\.[^/]+)/(?P<path>.+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ResourceId:
    """What an id says. `type` has its namespace: "Microsoft.Network/virtualNetworks/subnets";
    `name` is that of the resource itself, not of those that it is a part of. `resource_group` is
    empty for what lies in no group. Upper and lower case are as in the id: Azure ignores them."""

    subscription_id: str
    resource_group: str
    type: str
    name: str


def subscription_scope(subscription_id: str) -> str:
    """The id of a subscription, which those of all that is in it begin with."""
    return f"/subscriptions/{subscription_id}"


def group_scope(subscription_id: str, resource_group: str) -> str:
    """The id of a resource group, which those of all that is in it begin with."""
    return f"{subscription_scope(subscription_id)}/resourceGroups/{resource_group}"


def collection_path(scope: str, type_: str) -> str:
    """The path at which Azure lists the resources of a type, such as
    "Microsoft.Compute/virtualMachines", in a subscription or a group."""
    return f"{scope}/providers/{type_}"


def resource_id(scope: str, type_: str, *names: str) -> str:
    """The id of a resource in a subscription or a group, or of one that extends a resource.

    `names`: one for each part of the type behind the namespace; raises ValueError if there are
    more or fewer.
    """
    namespace, *types = type_.split("/")
    pairs = "".join(f"/{part}/{name}" for part, name in zip(types, names, strict=True))
    return f"{collection_path(scope, namespace)}{pairs}"


def parse_id(resource_id: str) -> ResourceId:
    """Take an id apart; raises ValueError if it is none of a resource in a subscription.

    Of a resource that extends another, such as a role assignment, the type and name are its own.
    """
    match = PATTERN.fullmatch(resource_id)
    segments = match["path"].split("/") if match else []
    if match is None or len(segments) % 2 or not all(segments):
        raise ValueError(f"{resource_id!r} is not the id of an Azure resource")
    type_ = "/".join((match["namespace"], *segments[::2]))
    return ResourceId(match["subscription"], match["group"] or "", type_, segments[-1])
