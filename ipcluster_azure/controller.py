"""The controller's machine -> a running ipcontroller that clients on this computer can reach."""

import json
from collections.abc import Mapping

from . import bootstrap
from .azure_api import AzureApi, bridge
from .connect import connect, controller_target
from .link import ensure_link
from .order import Order
from .provision import Looks, require_alive, watch_operation, while_watching
from .record import READY, Record, Tunnel
from .record_file import RecordFile, held, write_private
from .settings import Settings


async def controller_requested(file: RecordFile) -> Record:
    """The record, once the controller's address is known: another process may be at it."""
    looks = Looks(last_s=0.5)
    while not (record := require_alive(file)).controller.host:
        await looks.pause()
    return record


async def controller_running(order: Order, settings: Settings) -> None:
    """Return once ipcontroller runs, after starting it if nobody has."""
    record = await controller_requested(order.file)
    if record.controller.state == READY:
        return
    async with held(order.file.bootstrap_lock()):
        record = require_alive(order.file)
        if record.controller.state != READY:  # else another process was at it
            await _start_controller(order, settings, record)


async def open_tunnels(order: Order) -> None:
    """Make sure that clients on this computer can reach the controller; revives a dead link."""
    async with held(order.file.bootstrap_lock()):
        ports = await bridge(ensure_link, order.file)
    _write_client_file(order, ports)


async def _start_controller(order: Order, settings: Settings, record: Record) -> None:
    file, controller = order.file, record.controller
    order.progress.say(f"Waiting for the controller to boot ({controller.host})")
    n_engines = sum(engine_set.n for engine_set in record.engine_sets.values())
    files = bootstrap.profile_files(file.profile_dir, n_engines)
    data = bootstrap.payload(files, controller.variables)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        watch = watch_operation(api, file, controller.operation, "the controller")
        opening = connect(controller_target(file, record), timeout_s=settings.boot_timeout_s)
        async with await while_watching(watch, opening) as connection:
            order.progress.say("The controller's machine is up; setting up Python there")
            events = await bootstrap.start_controller(
                connection, record, cluster_id=order.cluster_id, data=data, args=controller.args
            )
    require_alive(file)
    ready, serving = events["ready"], events.get("serving", {})
    write_private(order.client_files["engine"], json.dumps(ready["engine"]))
    with file.edit() as record:
        record.tunnels = {
            name: Tunnel(0, port) for name, port in ready["client"].items() if isinstance(port, int)
        }
        record.controller.pid = ready["pid"]
        record.controller.environment_url = serving.get("url", "")
        record.controller.environment_sha256 = serving.get("sha256", "")
        record.controller.state = READY
    write_private(file.client_file, json.dumps(ready["client"]))
    order.progress.say("The controller is running")


def _write_client_file(order: Order, ports: Mapping[str, int]) -> None:
    """The controller's own client file, with the tunnels' ends on this computer in it."""
    remote = json.loads(order.file.client_file.read_text(encoding="utf-8"))
    local = {
        **remote,
        **ports,
        "interface": "tcp://127.0.0.1",
        "location": "127.0.0.1",
        "ssh": "",
    }
    write_private(order.client_files["client"], json.dumps(local))
