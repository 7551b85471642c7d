"""What has become of a machine of which nothing is heard: Azure's word, for it alone is sure."""

import logging

from .azure_api import GONE, AzureApi, bridge
from .errors import AzureLauncherError
from .record_file import RecordFile
from .teardown import emulator_is_gone

NOT_RUNNING = (GONE, "stopping", "stopped", "deallocating", "deallocated")

log = logging.getLogger(__name__)


async def power_of(file: RecordFile, vm_id: str) -> str:
    """The machine's power state, such as "running" or "gone"; empty if Azure can't be asked."""
    try:
        record = file.require()
        if emulator_is_gone(record.endpoint):
            return GONE
        with AzureApi(record.endpoint, record.plan.subscription_id) as api:
            return await bridge(api.power_of, vm_id)
    except AzureLauncherError as error:
        log.info("Azure can't say whether %s runs: %s", vm_id.rsplit("/", 1)[-1], error)
        return ""
