"""A cluster that costs something else from now on may end at another time: its tags say when."""

from contextlib import suppress
from datetime import datetime, timedelta

from ..errors import AzureLauncherError
from ..naming import EXPIRES_TAG
from ..record.abort import edited
from ..record.contents import Record
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge


async def note_end(api: AzureApi, file: RecordFile) -> None:
    """Have the tags say when the cluster ends by now, for `reap` and `list` on any computer.

    In a group of the user's own the resources carry the tags: there those of before stay.
    """
    with edited(file) as record:
        record.plan = record.plan.tagged(EXPIRES_TAG, _end(record))
    plan = record.plan
    if plan.owns_resource_group:
        with suppress(AzureLauncherError):  # the guard ends it all the same, and goes by the record
            await bridge(api.tag_group, plan.resource_group, dict(plan.tags))


def _end(record: Record) -> str:
    hours = timedelta(hours=record.limits.max_lifetime_h)
    return (datetime.fromisoformat(record.created) + hours).isoformat(timespec="seconds")
