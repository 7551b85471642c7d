"""One engine set -> gone, or its engines ended and its machines kept; the cluster goes on.

The whole cluster's deletion is teardown.py's. Here, too, every part may be repeated.
"""

from ..errors import AzureLauncherError, ClusterStopped
from ..private_files import erase
from ..progress import Progress
from ..record.contents import DELETING, KEPT, Record
from ..record.file import RecordFile
from ..record.joining import Joining
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.azure_time import azure_now
from ..resource_manager.compute import import_beside
from ..start.provision import creates_in_flight
from .teardown import bring_home, one_teardown
from .visit_process import LOGS_TIMEOUT_S, visit_machines

ENGINES_STOP_TIMEOUT_S = 20.0


async def delete_engine_set(file: RecordFile, set_id: str, progress: Progress) -> None:
    """Delete one engine set and leave the rest of the cluster as it is.

    Does nothing if the set is gone, or goes with its cluster.
    """
    async with one_teardown(file):
        if not _mark_set_deleting(file, set_id):
            return
        await bridge(creates_in_flight.wait, file.path)
        record = file.require()
        engine_set = record.engine_sets[set_id]
        import_beside()
        if engine_set.machines:
            await bring_home(file, record, progress, set_id)
            await bridge(_sign_off, file, set_id, LOGS_TIMEOUT_S)
        with AzureApi(record.endpoint, record.plan.subscription_id) as api:
            await bridge(api.delete, engine_set.scale_set_id)
        with file.edit() as record:
            if list(record.engine_sets)[-1] == set_id:  # the secure parameters are of the last one
                erase(file.engine_set_parameters)
            del record.engine_sets[set_id]
            record.cost.change(azure_now(record.endpoint), set_id, None)
        progress.say(f"Azure has accepted the deletion of engine set {set_id}")


def _mark_set_deleting(file: RecordFile, set_id: str) -> bool:
    """Tell a start of this set that is still under way to give up; False if the set is gone."""
    try:
        with file.edit() as record:
            if _is_gone(record, set_id):
                return False
            record.engine_sets[set_id].state = DELETING
    except ClusterStopped:
        return False
    return True


def _is_gone(record: Record, set_id: str) -> bool:
    return record.deleting or set_id not in record.engine_sets


async def stop_engine_processes(file: RecordFile, set_id: str, progress: Progress) -> None:
    """End the engines of a set and keep its machines, for a restart.

    Does nothing if the set is gone, or goes with its cluster.
    """
    async with one_teardown(file):
        record = file.read()
        if record is None or _is_gone(record, set_id):
            return
        if record.engine_sets[set_id].joining.machines:  # before the link starts engines there
            with file.edit() as record:
                record.engine_sets[set_id].state = KEPT
        if not await bridge(_sign_off, file, set_id, ENGINES_STOP_TIMEOUT_S):
            raise AzureLauncherError(
                f"The engines of set {set_id} could not be stopped on all machines. Run "
                "`ipcluster stop` to delete the cluster."
            )
        with file.edit() as record:
            record.engine_sets[set_id].state = KEPT
            record.engine_sets[set_id].joining = Joining()
        progress.say(f"Stopped the engines of set {set_id}; their machines are kept")


def _sign_off(file: RecordFile, set_id: str, timeout_s: float) -> bool:
    return visit_machines(file, set_id=set_id, stop=True, timeout_s=timeout_s)
