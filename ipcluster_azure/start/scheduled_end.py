"""The end that Azure itself sees to when nobody else can: machines are deallocated.

It needs neither this computer nor an identity of the machines. Deallocated machines cost nothing;
their disks and the public address do, until the cluster is deleted.
"""

import uuid
from datetime import datetime, timedelta

from ..errors import AzureLauncherError
from ..formatting import counted
from ..progress import Progress
from ..record.contents import Record
from ..resource_manager.api import AzureApi, bridge

PROVIDER, API = "Microsoft.ComputeSchedule", "2025-05-01"
BATCH = 100  # machines in one request; Azure's own limit is unverified
RETRIES, RETRY_WINDOW_MIN = 3, 60


def is_wanted(record: Record) -> bool:
    """Return whether max_lifetime_h is set, and the cluster can't see to that by itself: where
    nothing may run on its machines, there is no guard."""
    alone = record.stays or not record.limits.self_deletion
    return bool(record.limits.max_lifetime_h) and alone


async def prepare(api: AzureApi, record: Record) -> None:
    """Register the provider of scheduled ends, which takes a while, long before it is needed."""
    if is_wanted(record):
        try:
            await bridge(api.register, PROVIDER)
        except AzureLauncherError:
            return  # schedule() will say it


async def schedule(api: AzureApi, record: Record, vm_ids: list[str], progress: Progress) -> None:
    """Have Azure deallocate the machines when max_lifetime_h is over; warns if it does not."""
    if not is_wanted(record):
        return
    await prepare(api, record)  # once more: only now may it have become wanted
    try:
        for first in range(0, len(vm_ids), BATCH):
            await bridge(_submit, api, record, vm_ids[first : first + BATCH])
    except AzureLauncherError as error:
        progress.log.warning(
            "Azure does not schedule the end of the machines (%s): without this computer they run, "
            "and cost, until `ipcluster-azure reap`.",
            error,
        )


def _submit(api: AzureApi, record: Record, vm_ids: list[str]) -> None:
    created = datetime.fromisoformat(record.created)
    deadline = created + timedelta(hours=record.limits.max_lifetime_h)
    retry = {"retryCount": RETRIES, "retryWindowInMinutes": RETRY_WINDOW_MIN}
    body = {
        "schedule": {
            "deadline": deadline.isoformat(),
            "timezone": "UTC",
            "deadlineType": "InitiateAt",
        },
        "executionParameters": {"retryPolicy": retry},
        "resources": {"ids": vm_ids},
        "correlationid": str(uuid.uuid4()),
    }
    path = f"providers/{PROVIDER}/locations/{record.plan.location}/virtualMachinesSubmitDeallocate"
    answer = api.act(path, API, body, doing="scheduling the end of the machines")
    refused = [item for item in answer.get("results") or () if item.get("errorCode")]
    if refused:
        code, details = refused[0]["errorCode"], refused[0].get("errorDetails", "")
        raise AzureLauncherError(
            f"Azure refused it for {counted(len(refused), 'machine')}: {details} ({code})"
        )
