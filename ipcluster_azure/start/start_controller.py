"""The controller's machine -> a running ipcontroller that clients on this computer can reach."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from ..errors import NO_ROOM, AzureLauncherError
from ..private_files import write_private
from ..record.abort import require_alive
from ..record.contents import READY, Controller, Record, Tunnel
from ..record.file import RecordFile, held
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import Looks, all_or_none, watch_operation, while_watching
from ..settings.values import Settings
from ..ssh import bootstrap
from ..ssh.bundle import bundle_of, controller_config, controller_upload
from ..ssh.connect import connect, controller_target
from ..ssh.connection import Connection
from ..ssh.guard_settings import guard_settings
from .link_process import ensure_link
from .next_place import place_again
from .request import Order


async def network_ready(file: RecordFile) -> Record:
    """The record, once engines can join the network: another process may be at it."""
    return await _once(file, lambda controller: controller.network_ready)


async def controller_requested(file: RecordFile) -> Record:
    """The record, once the controller's address is known: another process may be at it."""
    return await _once(file, lambda controller: bool(controller.host))


async def _once(file: RecordFile, holds: Callable[[Controller], bool]) -> Record:
    looks = Looks(last_s=0.5)
    while not holds((record := require_alive(file)).controller):
        await looks.pause()
    return record


async def open_gate(order: Order, settings: Settings, connections: AsyncExitStack) -> Connection:
    """The connection to the controller's machine, once it has booted; `connections` closes it.

    When Azure has no room for the machine after all, the next place on record is tried.

    Raises BootTimeout, or what Azure says of the machine, as soon as it does.
    """
    file = order.file
    while True:
        record = await controller_requested(file)
        if record.controller.state != READY:
            order.progress.say(f"Waiting for the controller to boot ({record.controller.host})")
        with AzureApi(record.endpoint, record.plan.subscription_id) as api:
            watch = watch_operation(api, file, record.controller.operation, "the controller")
            opening = connect(controller_target(file, record), timeout_s=settings.boot_timeout_s)
            try:
                gate = await while_watching(watch, opening)
                return await connections.enter_async_context(gate)
            except NO_ROOM as error:
                await _place_again(api, order, record, error)


async def _place_again(
    api: AzureApi, order: Order, record: Record, why: AzureLauncherError
) -> None:
    async with held(order.file.bootstrap_lock()):
        if require_alive(order.file).controller.operation == record.controller.operation:
            await place_again(api, order.file, order.progress, why)  # else another process did


async def controller_running(order: Order, gate: "asyncio.Future[Connection]") -> None:
    """Return once ipcontroller runs, after starting it through `gate` if nobody has."""
    record = await controller_requested(order.file)
    if record.controller.state == READY:
        return
    connection = await asyncio.shield(gate)
    async with held(order.file.bootstrap_lock()):
        record = require_alive(order.file)
        if record.controller.state != READY:  # else another process was at it
            await _start_controller(order, record, connection)


async def get_ready(order: Order, settings: Settings) -> None:
    """Return once ipcontroller runs and clients on this computer can reach it."""
    async with AsyncExitStack() as connections:
        record = await controller_requested(order.file)
        if record.controller.state != READY:
            gate = asyncio.ensure_future(open_gate(order, settings, connections))
            await all_or_none(gate, asyncio.ensure_future(controller_running(order, gate)))
    await open_tunnels(order)


async def open_tunnels(order: Order, running: "asyncio.Future[None] | None" = None) -> None:
    """Make sure that clients on this computer can reach the controller; revives a dead link."""
    if running is not None:
        await asyncio.shield(running)
    await open_way(order.file, [order.client_files["client"]])


async def open_way(file: RecordFile, client_files: Iterable[Path]) -> dict[str, int]:
    """Tunnels to a running controller, opened by one process at a time; returns their local ports,
    which the client files name.
    """
    async with held(file.bootstrap_lock()):
        ports: dict[str, int] = await bridge(ensure_link, file)
    for path in client_files:
        _write_client_file(file, path, ports)
    return ports


async def _start_controller(order: Order, record: Record, gate: Connection) -> None:
    file, controller = order.file, record.controller
    n_engines = sum(engine_set.n for engine_set in record.engine_sets.values())
    bundle = bundle_of(file.profile_dir)
    config = controller_config(file.profile_dir, n_engines)
    order.progress.say("The controller's machine is up; setting up Python there")
    events = await bootstrap.start_controller(
        gate,
        record,
        cluster_id=order.cluster_id,
        bundle=bundle,
        data=controller_upload(bundle, config, controller.variables, guard_settings(record)),
        args=controller.args,
    )
    require_alive(file)
    ready = events["ready"]
    write_private(order.client_files["engine"], json.dumps(ready["engine"]))
    with file.edit() as record:
        record.tunnels = {
            name: Tunnel(0, port) for name, port in ready["client"].items() if isinstance(port, int)
        }
        record.controller.pid = ready["pid"]
        record.controller.depot_url = events["serving"]["url"]
        record.controller.bundle_sha256 = bundle.sha256
        record.controller.environment_sha256 = events.get("packed", {}).get("sha256", "")
        record.controller.state = READY
    write_private(file.client_file, json.dumps(ready["client"]))
    order.progress.say("The controller is running")


def _write_client_file(file: RecordFile, path: Path, ports: Mapping[str, int]) -> None:
    """The controller's own client file, with the tunnels' ends on this computer in it."""
    remote = json.loads(file.client_file.read_text(encoding="utf-8"))
    local = {
        **remote,
        **ports,
        "interface": "tcp://127.0.0.1",
        "location": "127.0.0.1",
        "ssh": "",
    }
    write_private(path, json.dumps(local))
