"""The way to a cluster that was deployed by its job files, from any computer with their secrets.

What a start would have put on record was not known to anybody before the deployment: it is asked of
Azure, and of the controller's machine. From then on it is a cluster as any other, which this
computer's record, link and `ipcluster stop` look after.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import AzureLauncherError, BootTimeout, ConfigurationError
from ..naming import CLUSTER_TAG, CREATED_TAG, ClusterNames
from ..plan.resource_types import NIC, PUBLIC_IP, VIRTUAL_MACHINE, Json
from ..private_files import write_private
from ..progress import Progress
from ..record.contents import DASK, Machine, Record, Tunnel
from ..record.file import RecordFile
from ..resource_ids import group_scope, resource_id
from ..resource_manager.answers import nic_address
from ..resource_manager.api import AzureApi, bridge
from ..settings.values import Settings
from ..ssh.commands import shell
from ..ssh.connect import connect, controller_target, engine_target
from ..ssh.connection import Connection
from .preflight import find_place
from .self_starting import RESOURCES
from .ssh_rule import let_in
from .start_controller import open_way

LOOK_S = 2.0
COMMAND_TIMEOUT_S = 30.0
DASK_PORT = 8786
# in the work directory, each a line of JSON, as boot.py and boot_controller.py write them
STATE, CONTROLLER, OFFER = "boot_state.json", "controller.json", "offer.json"
BOOT = "boot.json"  # what the template's parameters have become
ENGINES_S = 5.0  # for an engines' machine to answer
LOG = "~/.ipcluster-azure/log/boot.log"


async def attach_deployed(
    file: RecordFile, settings: Settings, group: str, parameters: Path, progress: Progress
) -> Record:
    """Put the cluster that was deployed to `group` on record, and open the tunnels to it.

    `parameters` is the file that was deployed with. Waits for the controller to come up. Returns
    the record. Raises AzureLauncherError; then nothing is on record, and the cluster is as it was.
    """
    if file.read() is not None:
        raise ConfigurationError(
            f"Profile {file.profile} has a cluster already. Attach with another --profile or "
            "--cluster-id, or end that cluster with `ipcluster stop`."
        )
    known = _read_parameters(parameters)
    place = await find_place(replace(settings, ssh_source=()))
    data = {**known["record"], "endpoint": vars(place.endpoint), "cluster_id": file.cluster_id}
    record = Record.from_data(data)
    subscription = place.settings.subscription_id
    record.plan = replace(record.plan, subscription_id=subscription, resource_group=group)
    with AzureApi(record.endpoint, subscription) as api:
        await bridge(_complete, api, record, known[RESOURCES])
    file.create(record)
    try:
        write_private(file.key_file, known["loginKey"])
        write_private(file.public_key_file, _public_key(parameters))
        await let_in(file)
        await _hear_of_it(file, progress)
        await open_way(file)
    except BaseException:
        file.erase_ways_in()
        file.erase()
        raise
    return file.require()


def _read_parameters(path: Path) -> Mapping[str, Any]:
    """Return what a file of parameters says for us. Raises ConfigurationError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known: Mapping[str, Any] = content["metadata"]
        if not {"loginKey", RESOURCES, "record"} <= known.keys():
            raise KeyError("metadata")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} is not a file of parameters that `ipcluster-azure template` has written."
        ) from error
    return known


def _public_key(parameters: Path) -> str:
    content = json.loads(parameters.read_text(encoding="utf-8"))
    return str(content["parameters"]["sshPublicKey"]["value"])


def _complete(api: AzureApi, record: Record, resources: list[list[str]]) -> None:
    """Fill in what Azure knows: where the machines are, and when they were made. Blocking."""
    plan, controller = record.plan, record.controller
    scope = group_scope(plan.subscription_id, plan.resource_group)
    record.resources = [resource_id(scope, kind, name) for kind, name in resources]
    controller.vm_id = resource_id(scope, VIRTUAL_MACHINE, plan.names.controller)
    machine = api.find(controller.vm_id, doing="looking for the controller's machine")
    if machine is None:
        raise ConfigurationError(
            f"Resource group {plan.resource_group} in subscription {plan.subscription_id} has no "
            f"machine {plan.names.controller}: deploy the controller's job file to it first, or "
            "name the group that it was deployed to."
        )
    tags = machine.get("tags") or {}
    record.created = tags.get(CREATED_TAG, "")
    names = ClusterNames(tags.get(CLUSTER_TAG, plan.names.base), plan.names.base)
    record.plan = replace(plan, tags=dict(tags), location=machine["location"], names=names)
    nic = _body(api, resource_id(scope, NIC, plan.names.controller_nic))
    controller.address = controller.host = nic_address(nic)
    if plan.public_ip:
        address = _body(api, resource_id(scope, PUBLIC_IP, plan.names.public_ip))
        controller.host = str(address["properties"].get("ipAddress", ""))
    for engine_set in record.engine_sets.values():
        name = engine_set.scale_set_id
        engine_set.scale_set_id = next(one for one in record.resources if one.endswith(f"/{name}"))


def _body(api: AzureApi, identity: str) -> Json:
    body = api.find(identity, doing="looking for the controller's address")
    if body is None:
        raise AzureLauncherError(f"{identity} is gone: the cluster is being deleted.")
    return body


async def _hear_of_it(file: RecordFile, progress: Progress) -> None:
    """Wait until the controller runs, and put on record how it and its machines are reached."""
    record = file.require()
    target = controller_target(file, record)
    progress.say(f"Logging in to the controller ({record.controller.host})")
    async with await connect(target, timeout_s=record.controller.boot_timeout_s) as connection:
        await _see_it_run(connection, record, progress)
        controller = await _json(connection, CONTROLLER)
        client = await _json(connection, controller["files"]["client"])
        engine = await _json(connection, controller["files"]["engine"])
        offer = await _json(connection, OFFER)
        with AzureApi(record.endpoint, record.plan.subscription_id) as api:
            await bridge(_note_machines, api, record)
        await _note_parameters(connection, file, record)
    with file.edit() as record_now:
        write_private(file.connection_files["engine"], json.dumps({**engine, **offer["engine"]}))
        write_private(file.client_file, json.dumps(client))
        record_now.engine_sets = record.engine_sets
        record_now.limits = record.limits
        record_now.controller.cmd = record.controller.cmd
        record_now.controller.args = record.controller.args
        record_now.tunnels = {
            name: Tunnel(0, port) for name, port in client.items() if isinstance(port, int)
        }
        record_now.tunnels[DASK] = Tunnel(0, DASK_PORT)
        record_now.controller.pid = controller["pid"]
        record_now.controller.depot_url = offer["depot"]
        record_now.controller.bundle_sha256 = offer["bundle"]["sha256"]
        record_now.controller.environment_sha256 = offer["environment"]
        record_now.secret_files = [str(path) for path in file.connection_files.values()]


async def _note_parameters(gate: Connection, file: RecordFile, record: Record) -> None:
    """Put on record what the deployment was given: it may differ from what the template said.

    Engines' machines that don't answer yet leave it as the template said.
    """
    given, limits, controller = await _json(gate, BOOT), record.limits, record.controller
    limits.max_lifetime_h = given["max_lifetime_s"] / 3600
    limits.idle_timeout_min = given["idle_timeout_s"] / 60
    limits.self_deletion = bool(given["delete"])
    controller.cmd, controller.args = given["cmd"], given["args"]
    for set_id, engine_set in record.engine_sets.items():
        for machine in engine_set.machines[:1]:
            target = engine_target(file, record, set_id, machine)
            with suppress(BootTimeout):
                async with await connect(target, timeout_s=ENGINES_S, through=gate) as connection:
                    given = await _json(connection, BOOT)
                    engine_set.cmd, engine_set.args = given["cmd"], given["args"]


async def _see_it_run(connection: Connection, record: Record, progress: Progress) -> None:
    """Return once boot.py says so; raises AzureLauncherError if it failed, or takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + record.controller.boot_timeout_s
    said = ""
    while True:
        state = await _json(connection, STATE, missing={"state": "booting", "doing": "booting"})
        if state["state"] == "running":
            return
        if state["state"] == "failed":
            raise AzureLauncherError(
                f"The controller's machine could not start the cluster: {state['reason']}. Its log "
                f"is {LOG} there. Delete what was deployed, or see to it there."
            )
        if state["doing"] != said:
            said = state["doing"]
            progress.say(f"The controller's machine: {said}")
        if loop.time() > deadline:
            raise AzureLauncherError(
                f"The controller does not run within {record.controller.boot_timeout_s:.0f} s: its "
                f"machine is still at '{said}', and its log is {LOG} there. Attach again later."
            )
        await asyncio.sleep(LOOK_S)


async def _json(connection: Connection, path: str, missing: Json | None = None) -> Json:
    """Read a file of JSON on the machine, relative to the work directory."""
    found: list[bytes] = []
    command = ["cat", path] if missing is None else ["sh", "-c", 'cat "$1" || true', "sh", path]
    reading = connection.read(shell(command), b"", found.append)
    await asyncio.wait_for(reading, COMMAND_TIMEOUT_S)
    text = b"".join(found)
    if missing is not None and not text.strip():
        return missing
    content: Json = json.loads(text)
    return content


def _note_machines(api: AzureApi, record: Record) -> None:
    """Put on record which machines the engines' scale sets have; none that isn't deployed yet."""
    for set_id, engine_set in list(record.engine_sets.items()):
        if not api.exists(engine_set.scale_set_id):
            del record.engine_sets[set_id]
            continue
        left = engine_set.n
        for machine in api.machines(engine_set.scale_set_id):
            here = min(engine_set.engines_per_vm, left)
            engine_set.machines.append(Machine(machine.name, machine.address, here))
            left -= here
