"""Which cluster an engine set joins: whoever started that, its controller must be on Azure."""

import asyncio
import functools
from contextlib import suppress
from typing import Any

from ..errors import ConfigurationError
from ..record.contents import Record
from ..record.file import RecordFile
from .base import AzureVMBase

START_TIMEOUT_S = 6.0


async def cluster_to_join(file: RecordFile, controller: Any) -> Record:
    """Return the cluster's record; `controller` is the launcher of its controller, if it is here.

    Raises ConfigurationError if there is no cluster to join, or its controller is not on Azure.
    """
    if controller is not None and not isinstance(controller, AzureVMBase):
        await _wait_until_started(controller)
        raise ConfigurationError(
            f"Engines on Azure need a controller on Azure, not {type(controller).__name__}: "
            "set c.Cluster.controller_launcher_class = 'azurevm'."
        )
    record = file.read()
    if record is None:
        raise ConfigurationError(
            "There is no cluster on Azure in this profile to add engines to. Start one with "
            "`ipcluster start`."
        )
    if record.is_created:
        raise ConfigurationError(
            "Nothing runs on the cluster's machines that engines could join. Type "
            f"{file.command('ipcluster-azure deploy')} first."
        )
    return record


async def _wait_until_started(controller: Any) -> None:
    """Return once a controller that is not on Azure answers, or after some seconds.

    ipcontroller that is ended while it starts its own processes leaves them behind; it answers
    when it has started them and handles signals.
    """
    from ipyparallel import Client

    with suppress(Exception):
        info = await controller.get_connection_info(timeout=START_TIMEOUT_S)
        connect = functools.partial(Client, info["client"], timeout=START_TIMEOUT_S)
        (await asyncio.to_thread(connect)).close()
