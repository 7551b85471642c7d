"""What the guard on the controller's machine is told: when the cluster ends, and how."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ..plan import resource_types
from ..record.contents import Record
from ..resource_ids import group_scope
from ..resource_manager.azure_time import azure_now

GROUP_API = "2025-04-01"
FORCED_GROUP = f"forceDeletionTypes={resource_types.VIRTUAL_MACHINE},{resource_types.SCALE_SET}"
GRACE_S = 60.0  # for this computer to fetch logs and to delete the cluster itself


def guard_settings(record: Record) -> dict[str, Any]:
    """Return what guard_daemon.py is told.

    `delete` is empty unless the controller's machine may delete the cluster.

    `created_s`, in seconds since 1970, and `age_s` are by Azure's clock: this computer's and the
    machine's may be wrong.
    """
    created = datetime.fromisoformat(record.created)
    endpoint, limits = record.endpoint, record.limits
    ca_pem = Path(endpoint.ca_file).read_text(encoding="utf-8") if endpoint.ca_file else ""
    return {
        "created_s": created.timestamp(),
        "age_s": (azure_now(record.endpoint) - created).total_seconds(),
        "max_lifetime_h": limits.max_lifetime_h,
        "idle_timeout_min": limits.idle_timeout_min,
        "grace_s": GRACE_S,
        "resource_manager": endpoint.url,
        "audience": endpoint.audience,
        "ca_pem": ca_pem,
        "delete": list(_deletions(record)) if limits.self_deletion else [],
    }


def _deletions(record: Record) -> Iterator[str]:
    """Yield what the guard deletes, as URLs below the Resource Manager's, in order.

    It is the group made for this cluster; in another group the machines, which are what costs: the
    controller's last, as the one who deletes ends with it.
    """
    plan = record.plan
    if plan.owns_resource_group:
        group = group_scope(plan.subscription_id, plan.resource_group)
        yield f"{group}?api-version={GROUP_API}&{FORCED_GROUP}"
        return
    sets = [engine_set.scale_set_id for engine_set in record.engine_sets.values()]
    for item in [*sets, record.controller.vm_id]:
        yield f"{item}?api-version={resource_types.COMPUTE_API}&forceDeletion=true"
