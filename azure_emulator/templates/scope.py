"""Template functions whose value follows from the place: the deployment, its group, its names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import zones
from .dates import dotnet_format
from .evaluation import Evaluator, is_loops
from .expressions import ExpressionError
from .signatures import Function, checked
from .values import find_key


@dataclass(frozen=True)
class Surroundings:
    """What a deployment is made in; group and deployment: as the functions of these names show.

    group: empty for a deployment of the subscription. deployer_id: the object id of who deploys;
    resource_types: a provider's resource types as ARM shows them.
    """

    subscription_id: str
    tenant_id: str
    group: Mapping[str, Any]
    deployment: Mapping[str, Any]
    now: datetime
    new_uuid: Callable[[], str]
    deployer_id: str = ""
    resource_types: Callable[[str], list[dict[str, Any]]] = lambda namespace: []

    @property
    def subscription(self) -> str:
        return f"/subscriptions/{self.subscription_id}"


def functions(around: Surroundings) -> dict[str, Function]:
    """Return the functions by their names in lower case."""

    def resource_id(*parts: str) -> str:
        before, kind, names = _split("resourceId", parts)
        if len(before) > 2:
            raise _bad_id("resourceId")
        subscription = before[-2] if len(before) == 2 else around.subscription_id
        group = before[-1] if before else _group(around)["name"]
        root = f"/subscriptions/{subscription}/resourceGroups/{group}"
        return _joined("resourceId", root, kind, names)

    def subscription_resource_id(*parts: str) -> str:
        before, kind, names = _split("subscriptionResourceId", parts)
        root = f"/subscriptions/{before[0] if before else around.subscription_id}"
        return _joined("subscriptionResourceId", root, kind, names)

    def tenant_resource_id(*parts: str) -> str:
        _, kind, names = _split("tenantResourceId", parts)
        return _joined("tenantResourceId", "", kind, names)

    def extension_resource_id(scope: str, kind: str, *names: str) -> str:
        return _joined("extensionResourceId", scope.rstrip("/"), kind, names)

    plain: dict[str, Callable[[], Any]] = {
        "resourceGroup": lambda: _group(around),
        "deployer": lambda: {"objectId": around.deployer_id, "tenantId": around.tenant_id},
        "deployment": lambda: dict(around.deployment),
        "environment": lambda: ENVIRONMENT,
        "subscription": lambda: {
            "id": around.subscription,
            "subscriptionId": around.subscription_id,
            "tenantId": around.tenant_id,
            "displayName": "ipcluster-azure emulator",
        },
        "tenant": lambda: {
            "id": f"/tenants/{around.tenant_id}",
            "tenantId": around.tenant_id,
            "displayName": "ipcluster-azure emulator",
        },
    }
    found = {name.lower(): checked(name, (), body) for name, body in plain.items()}
    ids: dict[str, Function] = {
        "resourceId": resource_id,
        "subscriptionResourceId": subscription_resource_id,
        "tenantResourceId": tenant_resource_id,
        "extensionResourceId": extension_resource_id,
    }
    for name, body in ids.items():
        found[name.lower()] = checked(name, ("string", "string", "string*"), body)
    return found | zones.functions(around.subscription_id) | _of_providers(around)


def _group(around: Surroundings) -> dict[str, Any]:
    if around.group:
        return dict(around.group)
    raise ExpressionError(
        "The template function 'RESOURCEGROUP' is not expected at this location. Please see "
        "https://aka.ms/arm-template-expressions for usage details."
    )


def _of_providers(around: Surroundings) -> dict[str, Function]:
    def providers(namespace: str, kind: str | None = None) -> dict[str, Any]:
        types = around.resource_types(namespace)
        if kind is None:
            return {"namespace": namespace, "resourceTypes": types}
        for one in types:
            if one["resourceType"].lower() == kind.lower():
                return {name: one[name] for name in ("resourceType", "locations", "apiVersions")}
        raise ExpressionError(
            f"The resource type '{kind}' could not be found in the namespace '{namespace}'."
        )

    def management_group_resource_id(*parts: str) -> str:
        before, kind, names = _split("managementGroupResourceId", parts)
        if len(before) != 1:
            raise _bad_id("managementGroupResourceId")
        root = f"/providers/Microsoft.Management/managementGroups/{before[0]}"
        return _joined("managementGroupResourceId", root, kind, names)

    several = ("string", "string", "string*")
    return {
        "providers": checked("providers", ("string", "string?"), providers),
        "managementgroupresourceid": checked(
            "managementGroupResourceId", several, management_group_resource_id
        ),
        **misplaced("managementGroup"),  # only deployments of a management group have one
    }


def only_in_defaults(around: Surroundings) -> dict[str, Function]:
    """Return the functions that give another value each time, which only defaults may use."""
    return {
        "newguid": checked("newGuid", (), around.new_uuid),
        "utcnow": checked(
            "utcNow",
            ("string?",),
            lambda form="yyyyMMddTHHmmssZ": dotnet_format(around.now, form),
        ),
    }


def misplaced(*names: str) -> dict[str, Function]:
    """Return functions that refuse to be called in this place."""

    def refuse(name: str) -> Function:
        def call(*arguments: Any) -> Any:
            raise ExpressionError(
                f"The template function '{name}' is not expected at this location. Please see "
                "https://aka.ms/arm-template-expressions for usage details."
            )

        return call

    return {name.lower(): refuse(name) for name in names}


def _split(name: str, parts: tuple[str, ...]) -> tuple[list[str], str, tuple[str, ...]]:
    """Return what is before the resource type, the type, and the names."""
    for number, part in enumerate(parts):
        if "/" in part:
            return list(parts[:number]), part, parts[number + 1 :]
    raise _bad_id(name)


def _bad_id(name: str) -> ExpressionError:
    return ExpressionError(
        f"Unable to evaluate template language function '{name}': function requires "
        "fully qualified resource type as one of its arguments. Please see "
        f"https://aka.ms/arm-template-expressions/#{name} for usage details."
    )


def _joined(name: str, root: str, kind: str, names: tuple[str, ...]) -> str:
    types = kind.strip("/").split("/")[1:]
    if len(types) != len(names):
        raise ExpressionError(
            f"Unable to evaluate template language function '{name}': the type '{kind}' requires "
            f"'{len(types)}' resource name argument(s). Please see "
            f"https://aka.ms/arm-template-expressions/#{name} for usage details."
        )
    return f"{root}/providers/{interleaved(kind.strip('/'), names)}"


def interleaved(kind: str, names: tuple[str, ...] | list[str]) -> str:
    """Return type and names in one: A.B/x/y with names 1, 2 is A.B/x/1/y/2."""
    namespace, *types = kind.split("/")
    steps = [step for pair in zip(types, names, strict=True) for step in pair]
    return "/".join([namespace, *steps])


class Variables:
    """The template's variables, each evaluated when it is first asked for."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions: dict[str, Any] = {}
        self._loops: dict[str, Any] = {}
        for name, item in definitions.items():
            if name.lower() == "copy" and is_loops(item):
                self._loops = {loop["name"]: loop for loop in item}
            else:
                self._definitions[name] = item
        self._values: dict[str, Any] = {}
        self._pending: list[str] = []
        self.evaluator: Evaluator

    def get(self, name: str) -> Any:
        """Return what variables('name') means."""
        known = find_key(self._definitions, name) or find_key(self._loops, name)
        if known is None:
            raise ExpressionError(
                f"The template variable '{name}' is not found. Please see "
                "https://aka.ms/arm-template/#variables for usage details."
            )
        if known not in self._values:
            if known in self._pending:
                raise ExpressionError(f"Circular reference in variable '{known}'.")
            self._pending.append(known)
            self._values[known] = self._value(known)
            self._pending.remove(known)
        return self._values[known]

    def _value(self, name: str) -> Any:
        if name in self._definitions:
            return self.evaluator.value(self._definitions[name])
        loop = self._loops[name]
        return self.evaluator.loop(name, loop["count"], loop["input"], current=True)

    def names(self) -> list[str]:
        return [*self._definitions, *self._loops]


ENVIRONMENT = {
    "name": "AzureCloud",
    "gallery": "https://gallery.azure.com/",
    "graph": "https://graph.windows.net/",
    "portal": "https://portal.azure.com",
    "graphAudience": "https://graph.windows.net/",
    "activeDirectoryDataLake": "https://datalake.azure.net/",
    "batch": "https://batch.core.windows.net/",
    "media": "https://rest.media.azure.net",
    "sqlManagement": "https://management.core.windows.net:8443/",
    "vmImageAliasDoc": "https://aka.ms/vm-aliases",
    "resourceManager": "https://management.azure.com/",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com/",
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        "tenant": "common",
        "identityProvider": "AAD",
    },
    "suffixes": {
        "acrLoginServer": ".azurecr.io",
        "azureDatalakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
        "azureDatalakeStoreFileSystem": "azuredatalakestore.net",
        "azureFrontDoorEndpointSuffix": "azurefd.net",
        "keyvaultDns": ".vault.azure.net",
        "sqlServerHostname": ".database.windows.net",
        "storage": "core.windows.net",
    },
}
