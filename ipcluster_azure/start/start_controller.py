"""The controller's machine -> a running ipcontroller that clients on this computer can reach."""

import hashlib
import json
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from ..errors import AzureLauncherError, BootTimeout
from ..private_files import erase, write_private
from ..record.abort import edited, require_alive
from ..record.contents import DASK, READY, Record, Tunnel
from ..record.file import RecordFile, held
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import watch_operation, while_watching
from ..ssh import bootstrap
from ..ssh.bundle import Bundle, bundle_of, controller_config, controller_upload
from ..ssh.connect import connect, controller_target
from ..ssh.connection import Connection
from ..ssh.guard_settings import guard_settings
from ..ssh.machine_lock import digest_of, machine_lock
from ..ssh.packages import Packages
from .boot_logs import Silent, keep_boot_logs
from .carried import packages_of
from .controller_wait import controller_requested
from .link_process import ensure_link
from .machine_python import modules_of_packages
from .next_place import first_with_room, move_controller
from .own_files import read_archive
from .request import StartContext
from .subnet_rules import explained


async def open_gate(
    context: StartContext, record: Record, connections: AsyncExitStack
) -> Connection:
    """Log in to the controller's machine once it has booted; `connections` closes the connection.

    `record` is what was just read of it. When Azure has no room for the machine after all, it is
    asked for in the next place on record.

    Raises BootTimeout, or what Azure says of the machine, as soon as it does.
    """
    file = context.file

    async def attempt(refusal: AzureLauncherError | None) -> Connection:
        nonlocal record
        if refusal is not None:
            await _move_once(api, context, record, refusal)
            record = require_alive(file)
        record = await controller_requested(file, record)
        if record.controller.state != READY:
            context.progress.say(f"Waiting for the controller to boot ({record.controller.host})")
        watch = watch_operation(api, file, record.controller.operation, "the controller")
        timeout_s = record.controller.boot_timeout_s
        opening = connect(controller_target(file, record), timeout_s=timeout_s)
        try:
            return await while_watching(watch, opening)
        except BootTimeout as error:
            why = await explained(api, record, error)
            silent = Silent(record.plan.names.controller, record.controller.vm_id, why)
            await keep_boot_logs(api, context, record, [silent])
            raise why from error

    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        gate = await first_with_room(attempt)
        return await connections.enter_async_context(gate)


async def _move_once(
    api: AzureApi, context: StartContext, refused: Record, refusal: AzureLauncherError
) -> None:
    """Move the controller, unless another process has since Azure `refused` what was on record."""
    async with held(context.file.bootstrap_lock()):
        record = require_alive(context.file)
        if record.controller.operation == refused.controller.operation:
            await move_controller(api, context, refusal)


async def start_controller(context: StartContext, gate: Connection) -> None:
    """Start ipcontroller through `gate`, unless another process does; returns once it runs."""
    async with held(context.file.bootstrap_lock()):
        record = require_alive(context.file)
        if record.controller.state != READY:
            await _set_up(context, record, gate)


async def get_ready(context: StartContext) -> None:
    """Return once ipcontroller runs and clients on this computer can reach it."""
    record = await controller_requested(context.file, require_alive(context.file))
    if record.controller.state != READY:
        async with AsyncExitStack() as connections:
            gate = await open_gate(context, record, connections)
            await start_controller(context, gate)
    await open_tunnels(context)


async def open_tunnels(context: StartContext) -> None:
    """Make sure that clients on this computer can reach the controller; revives a dead link."""
    await open_way(context.file)


async def open_way(file: RecordFile) -> dict[str, int]:
    """Open the tunnels to a running controller, and name their local ends in the client's file.

    One process at a time does that. Returns the local port of each channel, by its name.
    """
    async with held(file.bootstrap_lock()):
        ports: dict[str, int] = await bridge(ensure_link, file)
    _write_client_file(file, ports)
    return ports


async def _set_up(context: StartContext, record: Record, gate: Connection) -> None:
    """Set up Python on the controller's machine, start ipcontroller, note how it is reached."""
    file, controller = context.file, record.controller
    n_engines = sum(engine_set.n for engine_set in record.engine_sets.values())
    bundle = bundle_of(file.profile_dir, record.preparation.files)
    config = controller_config(file.profile_dir, n_engines)
    packages = packages_of(record.environment)
    lock = _lock_to_send(record, packages)
    own_files = read_archive(file)
    context.progress.say("The controller's machine is up; setting up Python there")
    events = await bootstrap.start_controller(
        gate,
        record,
        cluster_id=record.cluster_id,
        bundle=bundle,
        data=controller_upload(
            bundle, config, controller.variables, guard_settings(record), lock, own_files
        ),
        packages=packages,
        args=controller.args,
        on_progress=lambda doing: context.progress.say(f"The controller's machine: {doing}"),
    )
    ready = events["ready"]
    for fault in ready.get("faults", ()):
        context.progress.log.warning("ipcontroller runs without its configuration: %s", fault)
    for warning in ready["warnings"]:
        context.progress.log.warning(warning)
    _note_running(file, events, bundle, lock, own_files)
    erase(file.own_archive)
    context.progress.say("The controller is running")


def _lock_to_send(record: Record, packages: Packages | None) -> bytes:
    """Return what names the machines' packages; empty if their image has them."""
    if packages is None:
        return b""
    imported = modules_of_packages({**sys.modules})  # other threads import meanwhile
    return machine_lock(packages.lock, record.environment.python, imported)


def _note_running(
    file: RecordFile, events: Mapping[str, Any], bundle: Bundle, lock: bytes, own_files: bytes
) -> None:
    """Write down how ipcontroller is reached, and what was sent for it."""
    ready = events["ready"]
    with edited(file) as record:  # the connection files hold secrets: a stop must find them
        write_private(file.connection_files["engine"], json.dumps(ready["engine"]))
        write_private(file.client_file, json.dumps(ready["client"]))
        record.tunnels = {
            name: Tunnel(0, port) for name, port in ready["client"].items() if isinstance(port, int)
        }
        record.tunnels[DASK] = Tunnel(0, ready["dask"])
        record.environment.packages = ready["packages"]
        record.environment.made_of = digest_of(lock) if lock else ""
        record.controller.pid = ready["pid"]
        record.controller.depot_url = events["serving"]["url"]
        record.controller.bundle_sha256 = bundle.sha256
        record.own_files.sha256 = hashlib.sha256(own_files).hexdigest() if own_files else ""
        record.controller.environment_sha256 = events.get("packed", {}).get("sha256", "")
        record.controller.state = READY


def _write_client_file(file: RecordFile, ports: Mapping[str, int]) -> None:
    """Write the controller's own client file, with the tunnels' local ports in it."""
    remote = json.loads(file.client_file.read_text(encoding="utf-8"))
    local = {
        **remote,
        **{name: port for name, port in ports.items() if name in remote},
        "interface": "tcp://127.0.0.1",
        "location": "127.0.0.1",
        "ssh": "",
    }
    write_private(file.connection_files["client"], json.dumps(local))
