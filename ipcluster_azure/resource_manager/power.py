"""Return whether a machine of which nothing is heard still runs: Azure alone knows for certain."""

import logging
from pathlib import Path

from azure_emulator import client as emulator

from ..endpoint import Endpoint
from ..errors import AzureLauncherError, EndpointUnreachable
from ..record.file import RecordFile
from ..resource_ids import parse_id
from .answers import GONE
from .api import AzureApi, bridge

RUNNING = "running"
NOT_RUNNING = (GONE, "stopping", "stopped", "deallocating", "deallocated")

log = logging.getLogger(__name__)


async def power_of(file: RecordFile, vm_id: str) -> str:
    """Return a machine's power state, such as "running"; empty if Azure can't be asked."""
    try:
        record = file.require()
        if emulator_is_gone(record.endpoint):
            return GONE
        with AzureApi(record.endpoint, record.plan.subscription_id) as api:
            return await bridge(api.power_of, vm_id)
    except AzureLauncherError as error:
        log.info("Azure can't say whether %s runs: %s", parse_id(vm_id).name, error)
        return ""


def emulator_is_gone(endpoint: Endpoint) -> bool:
    """Return whether the endpoint is an emulator that has ended; its machines end with it.

    Raises EndpointUnreachable if that can't be found out.
    """
    if not endpoint.token_file:
        return False
    try:
        info = emulator.find(Path(endpoint.token_file).parent)
    except emulator.EmulatorError as error:  # it is there, but too busy to answer
        raise EndpointUnreachable(f"The emulator can't be used: {error}") from error
    return info is None or info.endpoint != endpoint.url
