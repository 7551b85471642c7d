"""READ FIRST: every request this endpoint answers, and the function that does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..base import errors
from ..base.resource_types import (
    IDENTITY,
    LOCK,
    NAT_GATEWAY,
    NIC,
    NSG,
    PUBLIC_IP,
    ROLE_ASSIGNMENT,
    ROLE_DEFINITION,
    VNET,
)
from ..compute import compute_schedule
from ..deployments import requests, what_if
from ..identity import (
    locks,
    managed_identities,
    own_permissions,
    role_assignments,
    role_definitions,
)
from ..network import (
    effective_rules,
    interfaces,
    nat_gateways,
    network_usages,
    networks,
    peerings,
    public_ips,
    security_groups,
    subnets,
)
from ..resources import providers
from ..resources.crud import Handler, getter, in_network_words, lister, network_deleter, tagger
from ..resources.providers import registered
from ..subscription import catalog, export, groups, resource_tags, subscriptions
from . import compute_routes

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}"
LOCATIONS = f"{SUBSCRIPTION}/providers/{{namespace}}/locations/{{location}}"


def _of_type(kind: str, child: str = "") -> tuple[str, str, str]:
    """Return the paths of one resource, of a group's list and of the subscription's list."""
    in_group = f"{GROUP}/providers/{kind}"
    return f"{in_group}/{{name}}{child}", in_group, f"{SUBSCRIPTION}/providers/{kind}"


def _resource(
    kind: str, put: Handler | None, delete: Handler, patch: Handler | None = None
) -> Iterator[tuple[str, str, Handler]]:
    one, in_group, everywhere = _of_type(kind)
    if put:
        yield "PUT", one, registered(kind, put)
    if patch:
        yield "PATCH", one, patch
    yield "DELETE", one, delete
    yield "GET", one, getter(kind)
    yield "GET", in_group, lister(kind)
    yield "GET", everywhere, lister(kind)


def _table() -> Iterator[tuple[str, str, Handler]]:
    yield "GET", "/subscriptions", subscriptions.list_
    yield "GET", SUBSCRIPTION, subscriptions.get
    yield "GET", f"{SUBSCRIPTION}/locations", subscriptions.list_locations
    yield "GET", f"{SUBSCRIPTION}/tagNames", subscriptions.list_tags
    yield "PUT", f"{SUBSCRIPTION}/tagNames/{{tag}}", subscriptions.put_tag
    yield "DELETE", f"{SUBSCRIPTION}/tagNames/{{tag}}", subscriptions.delete_tag
    tag_value = f"{SUBSCRIPTION}/tagNames/{{tag}}/tagValues/{{value}}"
    yield "PUT", tag_value, subscriptions.put_tag_value
    yield "DELETE", tag_value, subscriptions.delete_tag_value
    yield "GET", f"{SUBSCRIPTION}/resourceGroups", groups.list_
    yield "GET", f"{SUBSCRIPTION}/resources", groups.list_resources
    yield "GET", f"{SUBSCRIPTION}/operationresults/{{job}}", catalog.get_group_result
    yield "PUT", GROUP, groups.put
    yield "PATCH", GROUP, groups.patch
    yield "GET", GROUP, groups.get
    yield "HEAD", GROUP, groups.head
    yield "DELETE", GROUP, groups.delete
    yield "GET", f"{GROUP}/resources", groups.list_resources
    yield "POST", f"{GROUP}/exportTemplate", export.export
    provider = f"{SUBSCRIPTION}/providers/{{namespace}}"
    yield "GET", f"{SUBSCRIPTION}/providers", providers.list_
    yield "GET", provider, providers.get
    yield "POST", f"{provider}/register", providers.register
    yield "POST", f"{provider}/unregister", providers.unregister
    yield "GET", f"{LOCATIONS}/operations/{{operation}}", catalog.get_operation
    yield "GET", f"{LOCATIONS}/operationResults/{{operation}}", catalog.get_operation_result
    yield from _deployments()
    yield from _identities()
    for method, path, handler in _network():
        yield method, path, in_network_words(handler)
    yield from compute_routes.routes()
    at = f"{SUBSCRIPTION}/providers/{compute_schedule.NAMESPACE}/locations/{{location}}"
    yield "POST", f"{at}/virtualMachinesSubmitDeallocate", compute_schedule.submit_deallocate


def _deployments() -> Iterator[tuple[str, str, Handler]]:
    for scope in (SUBSCRIPTION, GROUP):
        several = f"{scope}/providers/Microsoft.Resources/deployments"
        one = f"{several}/{{name}}"
        yield "PUT", one, requests.put
        yield "GET", one, requests.get
        yield "HEAD", one, requests.head
        yield "DELETE", one, requests.delete
        yield "GET", several, requests.list_
        yield "POST", f"{one}/validate", requests.validate
        yield "POST", f"{one}/whatIf", what_if.begin
        yield "POST", f"{one}/cancel", requests.cancel
        yield "POST", f"{one}/exportTemplate", requests.export_template
        yield "GET", f"{one}/operationStatuses/{{operation}}", requests.get_status
        for path in (one, f"{scope}/deployments/{{name}}"):  # the second is what older SDKs ask
            yield "GET", f"{path}/operations", requests.list_operations
            yield "GET", f"{path}/operations/{{operation}}", requests.get_operation


def _identities() -> Iterator[tuple[str, str, Handler]]:
    yield from _resource(
        IDENTITY, managed_identities.put, managed_identities.delete, managed_identities.patch
    )
    yield (
        "POST",
        f"{GROUP}/providers/{IDENTITY}/{{name}}/listAssociatedResources",
        managed_identities.list_associated,
    )
    resource = f"{GROUP}/providers/{{namespace}}/{{kind}}/{{name}}"
    for scope in (SUBSCRIPTION, GROUP, resource):
        yield from _at(scope)
        yield "GET", f"{scope}/providers/{own_permissions.TYPE}", own_permissions.list_
        several = f"{scope}/providers/{ROLE_ASSIGNMENT}"
        yield "GET", several, role_assignments.list_
        yield "PUT", f"{several}/{{assignment}}", role_assignments.put
        yield "GET", f"{several}/{{assignment}}", role_assignments.get
        yield "DELETE", f"{several}/{{assignment}}", role_assignments.delete


def _at(scope: str) -> Iterator[tuple[str, str, Handler]]:
    """Yield what can be attached to the subscription, a group or a resource."""
    several = f"{scope}/providers/{ROLE_DEFINITION}"
    yield "GET", several, role_definitions.list_
    yield "GET", f"{several}/{{role}}", role_definitions.get
    yield "PUT", f"{several}/{{role}}", role_definitions.put
    yield "DELETE", f"{several}/{{role}}", role_definitions.delete
    several = f"{scope}/providers/{LOCK}"
    yield "GET", several, locks.list_
    yield "GET", f"{several}/{{lock}}", locks.get
    yield "PUT", f"{several}/{{lock}}", locks.put
    yield "DELETE", f"{several}/{{lock}}", locks.delete
    tags = f"{scope}/providers/{resource_tags.TYPE}/default"
    yield "GET", tags, resource_tags.get
    yield "PUT", tags, resource_tags.put
    yield "PATCH", tags, resource_tags.patch
    yield "DELETE", tags, resource_tags.delete


def _network() -> Iterator[tuple[str, str, Handler]]:
    usages = f"{SUBSCRIPTION}/providers/Microsoft.Network/locations/{{location}}/usages"
    yield "GET", usages, network_usages.list_
    yield from _resource(
        VNET, networks.put, network_deleter(VNET, networks.check_unused), tagger(VNET)
    )
    one, several, _ = _of_type(VNET, "/subnets/{child}")
    yield "PUT", one, subnets.put
    yield "GET", one, subnets.get
    yield "DELETE", one, subnets.delete
    vnet = f"{several}/{{name}}"
    yield "GET", f"{vnet}/subnets", subnets.list_
    yield "GET", f"{vnet}/CheckIPAddressAvailability", subnets.check_address
    yield "GET", f"{vnet}/usages", subnets.list_usages
    one, _, _ = _of_type(VNET, "/virtualNetworkPeerings/{child}")
    yield "PUT", one, peerings.put
    yield "GET", one, peerings.get
    yield "DELETE", one, peerings.delete
    yield "GET", f"{vnet}/virtualNetworkPeerings", peerings.list_
    yield from _resource(
        NAT_GATEWAY,
        nat_gateways.put,
        network_deleter(NAT_GATEWAY, nat_gateways.check_unused),
        tagger(NAT_GATEWAY),
    )
    yield from _resource(
        NSG, security_groups.put, network_deleter(NSG, security_groups.check_unused), tagger(NSG)
    )
    one, several, _ = _of_type(NSG, "/securityRules/{child}")
    yield "PUT", one, security_groups.put_rule
    yield "GET", one, security_groups.get_rule
    yield "DELETE", one, security_groups.delete_rule
    yield "GET", f"{several}/{{name}}/securityRules", security_groups.list_rules
    yield "GET", f"{several}/{{name}}/defaultSecurityRules", security_groups.list_default_rules
    one, _, _ = _of_type(NSG, "/defaultSecurityRules/{child}")
    yield "GET", one, security_groups.get_default_rule
    yield from _resource(
        PUBLIC_IP,
        public_ips.put,
        network_deleter(PUBLIC_IP, public_ips.check_unused, public_ips.release),
        tagger(PUBLIC_IP),
    )
    yield from _resource(
        NIC,
        interfaces.put,
        network_deleter(NIC, interfaces.check_unused, interfaces.release_addresses),
        tagger(NIC),
    )
    one, several, _ = _of_type(NIC, "/ipConfigurations/{child}")
    yield "GET", one, interfaces.get_configuration
    yield "GET", f"{several}/{{name}}/ipConfigurations", interfaces.list_configurations
    yield "POST", f"{several}/{{name}}/effectiveNetworkSecurityGroups", effective_rules.begin


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(pattern)), re.IGNORECASE)


class Route(NamedTuple):
    """One kind of request; template: the path with {parts}, as _table() writes it."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler


ROUTES = [
    Route(method, template, _compiled(template), handler) for method, template, handler in _table()
]

OF_PROVIDER = re.compile(
    r"(?P<scope>.*)/providers/(?P<namespace>[^/]+)(?P<rest>(/[^/]+)*)", re.IGNORECASE
)


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """Return the route and the path's parts; raises ARM's refusal of the path."""
    for route in ROUTES:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            return route, match.groupdict()
    if any(route.pattern.fullmatch(path) for route in ROUTES):
        raise errors.no_such_route(method, path)
    match = OF_PROVIDER.fullmatch(path)
    if match is None:
        raise errors.no_such_route("GET", path)
    if match["namespace"].lower() not in providers.NAMES:
        raise errors.invalid_namespace(match["namespace"])
    kinds = match["rest"].split("/")[1::2]  # between them are names
    raise errors.invalid_resource_type(match["namespace"], "/".join(kinds))
