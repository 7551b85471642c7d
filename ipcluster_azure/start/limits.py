"""When a cluster ends by itself, who sees to that, and what is promised of it before it costs."""

from ..errors import AccessDenied
from ..plan.cluster_plan import ClusterPlan
from ..plan.resource_types import Json
from ..record.contents import Limits
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.role import SELF_DELETION_ACTIONS, lacking
from ..settings.values import Settings

PERMISSIONS_API = "2022-04-01"
FOR_MORE = "See the how-to page 'Limit time and cost'."


async def find_limits(api: AzureApi, settings: Settings) -> Limits:
    """What the settings ask for, as far as the user's rights go.

    Raises AccessDenied if the controller is required to delete the cluster by itself and can't.
    """
    limits = Limits(
        max_lifetime_h=settings.max_lifetime_h, idle_timeout_min=settings.idle_timeout_min
    )
    ends = limits.max_lifetime_h or limits.idle_timeout_min or settings.max_cost
    if settings.self_deletion == "off" or not ends:
        return limits
    limits.self_deletion_required = settings.self_deletion == "required"
    missing = await bridge(_missing_rights, api, settings.resource_group)
    if missing and limits.self_deletion_required:
        raise AccessDenied(
            f"self_deletion is 'required', but you may not {', '.join(missing)}. Ask for the role "
            "Role Based Access Control Administrator on the resource group or the subscription, or "
            "set c.AzureVMLauncher.self_deletion = 'auto'."
        )
    limits.self_deletion = not missing
    return limits


def granted(api: AzureApi, group: str) -> list[Json]:
    """What each of the user's roles allows in a group, or in the subscription if that is empty.

    Blocking; raises AccessDenied if he may not even see that.
    """
    scope = f"resourceGroups/{group}/" if group else ""
    path = f"{scope}providers/Microsoft.Authorization/permissions"
    return api.listed(path, PERMISSIONS_API, doing="reading your permissions")


def _missing_rights(api: AzureApi, group: str) -> list[str]:
    try:
        return lacking(granted(api, group), SELF_DELETION_ACTIONS)
    except AccessDenied:
        return list(SELF_DELETION_ACTIONS)


def promise(limits: Limits, plan: ClusterPlan) -> str:
    """In words for the user: when this cluster ends at the latest, whatever happens here."""
    ends = []
    if limits.idle_timeout_min:
        ends.append(f"after {limits.idle_timeout_min:g} min without a task")
    if limits.max_lifetime_h:
        ends.append(f"after {limits.max_lifetime_h:g} h at the latest")
    if not ends:
        return "Nothing but `ipcluster stop` will end this cluster: both limits are off."
    deleted = f"The cluster is deleted {' and '.join(ends)}"
    if limits.self_deletion:
        rest = "" if plan.owns_resource_group else "; its network and address, then, by the stop"
        return f"{deleted}, also if this computer is off or gone{rest}."
    if limits.max_lifetime_h:
        gone = (
            f"Azure deallocates its machines after {limits.max_lifetime_h:g} h; disks and the "
            "address cost on until `ipcluster-azure reap`"
        )
    else:
        gone = "it runs, and costs, until `ipcluster-azure reap`"
    return (
        f"{deleted}, as long as this computer is on and online. If it is gone, {gone}. {FOR_MORE}"
    )
