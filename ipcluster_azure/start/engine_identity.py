"""Whether the engines' machines can be given their identity: before the first write."""

import asyncio

from ..errors import AccessDenied, ConfigurationError, RequestRefused
from ..plan.resource_types import IDENTITY, Json
from ..resource_ids import parse_id, subscription_scope
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.role import lacking
from ..resource_manager.waiting import all_or_none
from .limits import PERMISSIONS_API

ASSIGN = f"{IDENTITY}/assign/action"


async def check_identity(api: AzureApi, identity: str) -> None:
    """Raise ConfigurationError if there is no such identity, AccessDenied if the user may not give
    it to machines.

    Does nothing for the empty id, and where that can't be known: who may not read, may still
    assign.
    """
    if not identity:
        return
    finding = asyncio.ensure_future(bridge(_is_missing, api, identity))
    asking = asyncio.ensure_future(bridge(_may_not_assign, api, identity))
    await all_or_none(finding, asking)
    if finding.result():
        raise ConfigurationError(
            f"engine_identity {identity} does not exist. `az identity list --query [].id` lists "
            "those that you can see."
        )
    if asking.result():
        raise AccessDenied(
            f"You may not give the identity {identity} to machines ({ASSIGN}); nothing was "
            "created. Ask for the role Managed Identity Operator on it."
        )


def _is_missing(api: AzureApi, identity: str) -> bool:
    try:
        return api.find(identity, doing=f"looking for {identity}") is None
    except (AccessDenied, RequestRefused):
        return False


def _may_not_assign(api: AzureApi, identity: str) -> bool:
    """Return whether none of the user's roles allows it. A role may be granted on it alone."""
    if parse_id(identity).subscription_id.lower() != api.subscription_id.lower():
        return False
    below = identity[len(subscription_scope(api.subscription_id)) + 1 :]
    path = f"{below}/providers/Microsoft.Authorization/permissions"
    try:
        roles: list[Json] = api.listed(path, PERMISSIONS_API, doing="reading your permissions")
    except (AccessDenied, RequestRefused):
        return False
    return bool(lacking(roles, [ASSIGN]))
