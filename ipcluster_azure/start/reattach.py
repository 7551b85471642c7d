"""The way to a running cluster opened again: after a restart of this computer, or a move."""

from pathlib import Path

from ..errors import AzureLauncherError, ConfigurationError
from ..record.contents import READY, Record
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.power import NOT_RUNNING
from .ssh_rule import let_in
from .start_controller import open_way


async def attach(profile_dir: Path, cluster_id: str) -> str:
    """Open the tunnels of a cluster, from wherever this computer is now.

    Returns what to tell the user, with what to type next.

    Raises AzureLauncherError if there is no such cluster, or it can't be reached.
    """
    file = RecordFile.of(str(profile_dir), cluster_id)
    profile = file.profile
    record = await _running(file)
    lines = []
    if source := await let_in(file):
        lines.append(f"This computer's address is {source} now; SSH is allowed from there.")
    ports = await open_way(file)
    if any(tunnel.local not in (0, ports[name]) for name, tunnel in record.tunnels.items()):
        lines.append("Another program has a port that the tunnels had before: open clients anew.")
    argument = f", cluster_id={cluster_id!r}" if cluster_id else ""
    lines.append(f"The cluster can be reached: ipyparallel.Client(profile={profile!r}{argument})")
    return "\n".join(lines)


def started(file: RecordFile) -> Record:
    """Return the record of a cluster; raises AzureLauncherError unless it has started."""
    record, stop = file.read(), f"`ipcluster stop --profile={file.profile}`"
    if record is None:
        raise ConfigurationError(file.absent())
    if record.deleting:
        raise AzureLauncherError(f"The cluster is being deleted; {stop} tells how far it is.")
    if record.is_created:
        raise AzureLauncherError(
            "Nothing runs on the cluster's machines. "
            f"{file.command('ipcluster-azure deploy')} starts controller and engines on them."
        )
    if record.controller.state != READY:
        raise AzureLauncherError(f"The cluster has not started yet. {stop} ends it if it hangs.")
    return record


async def _running(file: RecordFile) -> Record:
    """Return the record; raises AzureLauncherError unless the controller's machine runs."""
    record = started(file)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        power = await bridge(api.power_of, record.controller.vm_id)
    if power in NOT_RUNNING:
        raise AzureLauncherError(
            f"The controller's machine is {power}, and all it knew is lost. Run `ipcluster stop "
            f"--profile={file.profile}`."
        )
    return record
