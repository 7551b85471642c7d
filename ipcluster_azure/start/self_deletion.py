"""The right of the controller's machine to delete its own cluster, by its managed identity."""

import asyncio
import uuid

from ..errors import AccessDenied, AzureLauncherError, ClusterStopped, RequestRefused
from ..plan.requests import ResourceRequest
from ..plan.resource_types import AUTHORIZATION_API, ROLE_ASSIGNMENT
from ..progress import Progress
from ..record.abort import require_alive
from ..record.contents import Record
from ..record.file import RecordFile
from ..resource_ids import group_scope, resource_id, subscription_scope
from ..resource_manager.api import AzureApi
from ..resource_manager.waiting import Looks
from .limits import promise
from .provision import create_resource

ROLE = "Microsoft.Authorization/roleDefinitions"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"  # built in; the same id in every tenant
# a new identity is not known everywhere at once
UNKNOWN_PRINCIPAL = "PrincipalNotFound"
UNKNOWN_PRINCIPAL_TIMEOUT_S = 60.0


async def allow_self_deletion(api: AzureApi, file: RecordFile, progress: Progress) -> Record:
    """Let the controller's machine delete the cluster's own group, or in another its machines.

    It may be repeated. Where that fails the start goes on, and the user is told when the cluster
    ends then. Returns the record, with what holds now.

    Raises AccessDenied if self_deletion is "required".
    """
    record = require_alive(file)
    if not record.limits.self_deletion:
        return record
    try:
        for scope in _scopes(record):
            await _assign(api, file, record.controller.principal_id, scope, progress)
    except ClusterStopped:
        raise
    except AzureLauncherError as error:
        if record.limits.self_deletion_required:
            raise AccessDenied(
                f"self_deletion is 'required', and the controller can't be given the right: {error}"
            ) from error
        with file.edit() as record:
            record.limits.self_deletion = False
        progress.log.warning(
            "The controller can't be given the right to delete the cluster: %s", error
        )
        progress.log.warning("%s", promise(record.limits, record.plan))
    return record


def _scopes(record: Record) -> list[str]:
    """The resource ids that the controller is to have the right for.

    In a group that isn't the cluster's own these are the machines, which are what costs.
    """
    plan = record.plan
    if plan.owns_resource_group:
        return [group_scope(plan.subscription_id, plan.resource_group)]
    sets = [item.scale_set_id for item in record.engine_sets.values() if item.operation]
    return [record.controller.vm_id, *sets]


async def _assign(
    api: AzureApi, file: RecordFile, principal: str, scope: str, progress: Progress
) -> None:
    """Give a principal the role of a contributor in a scope."""
    if not principal:
        raise AzureLauncherError("Azure has given its machine no identity")
    request = _assignment(api.subscription_id, principal, scope)
    looks, loop = Looks(), asyncio.get_running_loop()
    deadline = loop.time() + UNKNOWN_PRINCIPAL_TIMEOUT_S
    while True:
        try:
            await create_resource(api, file, request, progress)
            return
        except RequestRefused as error:
            if error.code != UNKNOWN_PRINCIPAL or loop.time() > deadline:
                raise
        await looks.pause()


def _assignment(subscription_id: str, principal: str, scope: str) -> ResourceRequest:
    """Return the request for the role assignment; its name is the same whenever it is repeated."""
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}/{principal}"))
    properties = {
        "roleDefinitionId": resource_id(subscription_scope(subscription_id), ROLE, CONTRIBUTOR),
        "principalId": principal,
        "principalType": "ServicePrincipal",
    }
    return ResourceRequest(
        type=ROLE_ASSIGNMENT,
        name=name,
        id=resource_id(scope, ROLE_ASSIGNMENT, name),
        api_version=AUTHORIZATION_API,
        depends_on=(),
        body={"properties": properties},
    )
