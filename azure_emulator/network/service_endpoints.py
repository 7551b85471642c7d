"""Service endpoints of subnets: for which of Azure's services there are any."""

from __future__ import annotations

from ..base import errors
from ..base.messages import Json

# Services that a subnet can have an endpoint for: the documentation of service endpoints.
SERVICES = frozenset(
    f"microsoft.{name}"
    for name in (
        "azureactivedirectory azurecosmosdb cognitiveservices containerregistry eventhub keyvault "
        "servicebus sql storage storage.global web"
    ).split()
)


def check(endpoints: list[Json]) -> None:
    """Refuse endpoints for what is no such service; the code and the words are unverified."""
    for endpoint in endpoints:
        service = endpoint.get("service")
        if not service or service.lower() not in SERVICES:
            raise errors.ArmError(
                400, "InvalidServiceEndpoint", f"Service endpoint '{service}' is not supported."
            )
