"""The way to a running cluster opened again: after a restart of this computer, or a move."""

from dataclasses import replace
from pathlib import Path

from .alive import require_alive
from .azure_api import AzureApi, bridge
from .controller import open_way
from .errors import AzureLauncherError, ConfigurationError
from .inquiry import NOT_RUNNING
from .job_file import ResourceRequest
from .preflight import own_address
from .provision import create
from .record import READY, Record
from .record_file import RecordFile
from .template import NETWORK_API, NSG, SSH_RULE, Json


async def attach(profile_dir: Path, cluster_id: str) -> str:
    """Open the tunnels of a cluster, from wherever this computer is now; says what to type next.

    Raises AzureLauncherError if there is no such cluster, or it can't be reached.
    """
    file = RecordFile.of(str(profile_dir), cluster_id)
    profile = profile_dir.name.removeprefix("profile_")
    record = await _running(file, profile)
    lines = []
    if source := await let_in(file):
        lines.append(f"This computer's address is {source} now; SSH is allowed from there.")
    secret_files = map(Path, record.secret_files)
    client_files = [path for path in secret_files if path.name.endswith("-client.json")]
    ports = await open_way(file, client_files)
    if any(tunnel.local not in (0, ports[name]) for name, tunnel in record.tunnels.items()):
        lines.append("Another program has a port of before: clients must be opened anew.")
    argument = f", cluster_id={cluster_id!r}" if cluster_id else ""
    lines.append(f"The cluster can be reached: ipyparallel.Client(profile={profile!r}{argument})")
    return "\n".join(lines)


async def _running(file: RecordFile, profile: str) -> Record:
    record, stop = file.read(), f"`ipcluster stop --profile={profile}`"
    if record is None:
        raise ConfigurationError(
            f"There is no such cluster on record in {file.path.parent}. `ipcluster-azure status "
            f"--profile={profile}` shows those of the profile, `ipcluster-azure list` all."
        )
    if record.deleting:
        raise AzureLauncherError(f"The cluster is being deleted; {stop} tells how far it is.")
    if record.controller.state != READY:
        raise AzureLauncherError(f"The cluster has not started yet. {stop} ends it if it hangs.")
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        power = await bridge(api.power_of, record.controller.vm_id)
    if power in NOT_RUNNING:
        raise AzureLauncherError(
            f"The controller's machine is {power}, and all it knew is lost. Run {stop}."
        )
    return record


async def let_in(file: RecordFile) -> str:
    """Allow SSH from this computer's address, if ssh_source is "auto" and it has another one now.

    Returns the new source, or an empty string if there is nothing to change. Raises
    AzureLauncherError if the address can't be found out, or the rule not be changed.
    """
    plan = require_alive(file).plan
    source = await bridge(own_address, plan.public_ip_service) if plan.own_source else ""
    if source == plan.own_source:
        return ""
    sources = tuple(source if old == plan.own_source else old for old in plan.ssh_sources)
    await _change_rule(file, sources)
    with file.edit() as record:
        record.plan = replace(record.plan, ssh_sources=sources, own_source=source)
    return source


async def _change_rule(file: RecordFile, sources: tuple[str, ...]) -> None:
    """Put the group as it is, with other sources in our rule; others' rules stay."""
    record = require_alive(file)
    plan, name = record.plan, record.plan.names.network_security_group
    root = f"/subscriptions/{plan.subscription_id}/resourceGroups/{plan.resource_group}"
    group = ResourceRequest(NSG, name, f"{root}/providers/{NSG}/{name}", NETWORK_API, (), {})
    with AzureApi(record.endpoint, plan.subscription_id) as api:
        found = await bridge(api.get, group)
        rules: list[Json] = found["properties"]["securityRules"]
        for rule in rules:
            if rule["name"] == SSH_RULE:
                rule["properties"]["sourceAddressPrefixes"] = list(sources)
        body: Json = {
            "location": found["location"],
            "tags": found.get("tags") or {},
            "properties": {"securityRules": rules},
        }
        changed = replace(group, body=body)
        await create(file, lambda: api.put(changed), lambda: api.delete(group.id))
