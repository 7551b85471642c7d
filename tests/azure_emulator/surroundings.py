"""What a request body refers to, made before it is sent; and recorded bodies to send."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.replay import prerequisites, sessions

from .cloud import Site

RECORDINGS_VARIABLE = "IPCLUSTER_AZURE_RECORDINGS"
ANY_GROUP = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+", re.IGNORECASE)
# resource type in lower case -> provider and type of the body of its PUT
BODIES = {
    "microsoft.resources/resourcegroups": ("resources", "ResourceGroup"),
    "microsoft.network/virtualnetworks": ("network", "VirtualNetwork"),
    "microsoft.network/virtualnetworks/subnets": ("network", "Subnet"),
    "microsoft.network/networksecuritygroups": ("network", "NetworkSecurityGroup"),
    "microsoft.network/networksecuritygroups/securityrules": ("network", "SecurityRule"),
    "microsoft.network/publicipaddresses": ("network", "PublicIPAddress"),
    "microsoft.network/networkinterfaces": ("network", "NetworkInterface"),
    "microsoft.network/natgateways": ("network", "NatGateway"),
    "microsoft.compute/virtualmachines": ("compute", "VirtualMachine"),
    "microsoft.compute/virtualmachinescalesets": ("compute", "VirtualMachineScaleSet"),
    "microsoft.compute/disks": ("compute", "Disk"),
}


class Creation(NamedTuple):
    """path: below the resource group, empty for the group itself."""

    path: str
    body: dict[str, Any]

    @property
    def type(self) -> str:
        return sessions.resource_type(f"/subscriptions/s/resourceGroups/g{self.path}")


def recordings() -> Path | None:
    """The folder of recorded exchanges, if it is at hand."""
    beside = Path(__file__).parents[3] / "shared" / "azure" / "recordings"
    folder = Path(os.environ.get(RECORDINGS_VARIABLE) or beside)
    return folder if folder.is_dir() else None


def recorded_creations(folder: Path) -> Iterator[tuple[str, Creation]]:
    """Each PUT that made something, with its place in the recordings."""
    for session in sessions.load(folder):
        for exchange in session:
            creation = Creation(ANY_GROUP.sub("", exchange.path), exchange.body)
            if exchange.method == "PUT" and exchange.status == 201 and creation.type in BODIES:
                yield exchange.source, creation


def placed(site: Site, value: Any) -> Any:
    """The same with all ids in the site's resource group."""
    if isinstance(value, str):
        return ANY_GROUP.sub(site.id, value)
    if isinstance(value, list):
        return [placed(site, item) for item in value]
    if isinstance(value, dict):
        return {name: placed(site, item) for name, item in value.items()}
    return value


def surround(site: Site, body: Any, location: str) -> None:
    """Make what the ids in the body name, as simply as possible."""
    wanted = list(prerequisites.references(body))
    for identifier in wanted:
        owner, _, subnet = identifier.partition("/subnets/")
        if site.cloud.call("GET", owner).status == 200:
            continue
        names = [subnet] if subnet else [_last(other) for other in wanted if "/subnets/" in other]
        simple = prerequisites.simple_body(owner, location, names or ["all"])
        if simple is None:  # what is not emulated, such as a load balancer
            continue
        surround(site, simple, location)
        answer = site.cloud.call("PUT", owner, simple)
        assert answer.status == 201, answer
        site.cloud.wait_for(answer)


def _last(identifier: str) -> str:
    return identifier.rsplit("/", 1)[-1]
