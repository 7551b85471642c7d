"""Resource providers: which there are, and whether the subscription is registered with them.

Those that are served are registered; other well-known ones can be, so that scripts that register
what they may need go on, but nothing of theirs can be made.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable

from ..base import errors, geography, versions
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..state import Emulator
from .crud import Handler

KIND = "Microsoft.Resources/providers"
TRANSITION_S = 20.0
# These need no registration.
FREE = ("Microsoft.Authorization", "Microsoft.Resources")
SERVED = {
    "Microsoft.Authorization": "locks roleAssignments roleDefinitions",
    "Microsoft.Compute": "virtualMachines virtualMachineScaleSets disks snapshots images galleries "
    "availabilitySets proximityPlacementGroups sshPublicKeys "
    "galleries/images galleries/images/versions locations locations/operations locations/usages",
    "Microsoft.ManagedIdentity": "userAssignedIdentities",
    "Microsoft.Network": "virtualNetworks publicIPAddresses networkInterfaces "
    "networkSecurityGroups natGateways locations locations/operations "
    "locations/operationResults locations/usages",
    "Microsoft.Resources": "subscriptions resourceGroups resources tags tagNames deployments",
}
KNOWN = {
    **SERVED,
    "Microsoft.AzureFleet": "fleets",
    "Microsoft.Batch": "batchAccounts",
    "Microsoft.Cache": "redis",
    "Microsoft.CognitiveServices": "accounts",
    "Microsoft.ComputeSchedule": "locations",
    "Microsoft.ContainerRegistry": "registries",
    "Microsoft.ContainerService": "managedClusters",
    "Microsoft.DevTestLab": "schedules",
    "Microsoft.DocumentDB": "databaseAccounts",
    "Microsoft.Insights": "components",
    "Microsoft.KeyVault": "vaults",
    "Microsoft.Maps": "accounts",
    "Microsoft.MarketplaceOrdering": "offertypes",
    "Microsoft.OperationalInsights": "workspaces",
    "Microsoft.Quota": "quotas",
    "Microsoft.Search": "searchServices",
    "Microsoft.Sql": "servers",
    "Microsoft.Storage": "storageAccounts",
    "Microsoft.Web": "sites serverfarms",
}
NAMES = {name.lower(): name for name in KNOWN}
# Azure shows these with the older member "authorization" (as recorded).
ONE_AUTHORIZATION = ("Microsoft.Compute", "Microsoft.Search", "Microsoft.Web")
ZONAL = ("Microsoft.Compute", "Microsoft.Network", "Microsoft.Web")
PROFILED = ("Microsoft.Compute", "Microsoft.KeyVault", "Microsoft.Network", "Microsoft.Web")
WITHOUT_DEFAULT_VERSION = ("Microsoft.CognitiveServices", "Microsoft.Search")
API_VERSIONS = ("2025-04-01", "2021-04-01", "2020-06-01", "2019-12-01", "2016-06-01")


def state_of(em: Emulator, name: str) -> str:
    default = "Registered" if name in SERVED else "NotRegistered"
    return em.store.registrations.get(name, default)


def _shown(em: Emulator, name: str, request: ArmRequest) -> Json:
    authorization = {
        "applicationId": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"application.{name}")),
        "roleDefinitionId": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"role.{name}")),
    }
    body: Json = {
        "id": f"/subscriptions/{em.store.subscription_id}/providers/{name}",
        "namespace": name,
        **(
            {"authorization": authorization}
            if name in ONE_AUTHORIZATION
            else {"authorizations": [authorization]}
        ),
        "resourceTypes": resource_types(name),
        "registrationState": state_of(em, name),
        "registrationPolicy": "RegistrationFree" if name in FREE else "RegistrationRequired",
    }
    return versions.shown(KIND, request.api_version, body)


def resource_types(namespace: str) -> list[Json]:
    """Return the resource types of a provider in any spelling; raises ARM's refusal."""
    if namespace.lower() not in NAMES:
        raise errors.invalid_namespace(namespace)
    name = NAMES[namespace.lower()]
    return [_resource_type(name, kind) for kind in KNOWN[name].split()]


def _resource_type(namespace: str, kind: str) -> Json:
    top = "/" not in kind and kind != "locations"
    body: Json = {
        "resourceType": kind,
        "locations": [region.shown for region in geography.REGIONS.values()] if top else [],
        "apiVersions": list(API_VERSIONS),
        "capabilities": "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove, "
        "SupportsTags, SupportsLocation"
        if top
        else "None",
    }
    if namespace not in WITHOUT_DEFAULT_VERSION:
        body["defaultApiVersion"] = API_VERSIONS[0]
    if namespace in PROFILED:
        body["apiProfiles"] = [
            {"profileVersion": "2018-06-01-profile", "apiVersion": API_VERSIONS[-1]}
        ]
    if top and namespace in ZONAL:
        body["zoneMappings"] = [
            {"location": region.shown, "zones": ["1", "2", "3"]}
            for region in geography.REGIONS.values()
            if region.zones
        ]
    return body


def _name(request: ArmRequest) -> str:
    namespace = request.params["namespace"]
    if namespace.lower() not in NAMES:
        raise errors.invalid_namespace(namespace)
    return NAMES[namespace.lower()]


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _shown(em, _name(request), request))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    return page([_shown(em, name, request) for name in KNOWN])


def _change(under_way: str, end: str, idle: tuple[str, ...]) -> Handler:
    """Return the handler of a change of state that takes a while; from `idle` nothing happens."""

    def answer(em: Emulator, request: ArmRequest) -> ArmResponse:
        name = _name(request)
        if state_of(em, name) in idle or name in FREE:
            return ArmResponse(200, _shown(em, name, request))
        em.store.registrations[name] = under_way

        async def finish() -> None:
            await em.clock.sleep(TRANSITION_S)
            if em.store.registrations.get(name) == under_way:
                em.store.registrations[name] = end

        em.operations.spawn(finish())
        return ArmResponse(200, _shown(em, name, request))

    return answer


register = _change("Registering", "Registered", ("Registered", "Registering"))
unregister = _change("Unregistering", "Unregistered", ("Unregistered", "NotRegistered"))


def registered(kind: str, handler: Handler) -> Handler:
    """Return the handler, refusing if the type's provider is not registered."""
    namespace = kind.split("/")[0]

    def guarded(em: Emulator, request: ArmRequest) -> ArmResponse | Awaitable[ArmResponse]:
        if state_of(em, namespace) not in ("Registered", "Registering"):
            raise errors.missing_registration(namespace)
        return handler(em, request)

    return guarded
