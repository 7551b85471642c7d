"""READ FIRST: the steps of a cluster's life, in order.

    find_site          settings -> where it may be; refuses what can't be, creates nothing
    request_controller record, network and controller machine; returns once Azure has accepted
    request_engines    one scale set more, once the network is there; returns once accepted
    bring_up           waits for both sides together; returns once engines are registered
    teardown.py        the way back

ipyparallel calls its launchers one after the other, but the machines boot together: nothing waits
for them before bring_up, and where engines come next, request_controller goes on beside
request_engines as soon as the network is there. What the steps know of each other is in the
record, for they may run on different event loops, and for engines that are added later in
different processes.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from .alive import edited_set, require_alive
from .azure_api import AzureApi, bridge
from .controller import controller_running, open_gate, open_tunnels
from .job_file import requests
from .keys import make_host_key, make_login_key
from .order import Order
from .planning import Site, new_record, plan_controller, plan_engines, write_parameters
from .preflight import check_access, choose_size, find_place
from .provision import controller_addresses, create, create_all
from .record import READY, EngineSet, Machine
from .record_file import RecordFile, write_private
from .run import start_engine_set
from .settings import Settings
from .template import Json, controller_template, engine_set_template
from .waiting import all_or_none, wait_for_machines, watch_operation, while_watching

T = TypeVar("T")
Submit = Callable[[Json], None]


async def find_site(settings: Settings, engine_settings: Settings | None, cache_dir: Path) -> Site:
    """Complete and check the settings. Raises before anything is created, within 10 s."""
    place = await find_place(settings)
    with AzureApi(place.endpoint, place.settings.subscription_id) as api:
        await check_access(api, place.settings)
        size = await choose_size(api, place.settings, cache_dir)
        if engine_settings is not None and engine_settings.vm_size != settings.vm_size:
            at_place = replace(place.settings, vm_size=engine_settings.vm_size)
            await choose_size(api, at_place, cache_dir)
    return Site(place, size)


async def request_controller(
    order: Order, site: Site, submit: Submit, on_network: Callable[[], None]
) -> None:
    """Write the record, then ask Azure for the network and the controller's machine.

    Calls `on_network` as soon as engines can be requested.

    `submit` is called with the template once the record exists, before the first create call; it
    writes the job file. What is submitted is what that says.
    """
    file, plan = order.file, plan_controller(order, site)
    login_key, host_key = await bridge(make_login_key), make_host_key()
    write_private(file.key_file, login_key.private)
    write_private(file.public_key_file, login_key.public)
    parameters = write_parameters(order, login_key.public, host_key)
    template = controller_template(plan)
    planned = requests(template, parameters, plan)
    file.create(new_record(order, site, plan, host_key.public, [item.id for item in planned]))
    submit(template)
    order.progress.say(f"Requesting the controller, {plan.machine.vm_size} in {plan.location}")
    network = partial(_note_network, file, on_network)
    with AzureApi(site.place.endpoint, plan.subscription_id) as api:
        answers = await create_all(api, file, plan, planned, network)
    host, address = controller_addresses(plan, answers)
    with file.edit() as record:
        controller, vm_id = record.controller, planned[-1].id
        controller.vm_id, controller.host, controller.address = vm_id, host, address
        controller.operation = answers[vm_id]["operation"]
    order.progress.say(f"Azure has accepted the controller; it will answer at {host}")


def _note_network(file: RecordFile, on_network: Callable[[], None]) -> None:
    with file.edit() as record:
        record.controller.network_ready = True
    on_network()


async def request_engines(
    order: Order, settings: Settings, set_id: str, n: int, submit: Submit
) -> None:
    """Ask Azure for the machines of n engines more, in the cluster's network."""
    record, plan = await plan_engines(order, settings, set_id, n)
    file, cluster = order.file, record.plan
    host_key = make_host_key()
    parameters = write_parameters(order, file.public_key_file.read_text(), host_key)
    template = engine_set_template(cluster, plan)
    (request,) = requests(template, parameters, cluster)
    with file.edit() as record:
        record.engine_sets[set_id] = EngineSet(
            scale_set_id=request.id,
            n=n,
            engines_per_vm=plan.engines_per_vm,
            vcpus=plan.vcpus,
            host_key=host_key.public,
        )
        record.resources.append(request.id)
        record.secret_files.append(str(order.parameter_file))
    submit(template)
    order.progress.say(f"Requesting {plan.vm_count} x {plan.machine.vm_size} for {n} engines")
    with AzureApi(record.endpoint, cluster.subscription_id) as api:
        _, operation = await create(
            file,
            lambda: api.put(request),
            lambda: api.delete(request.id),
        )
    with edited_set(file, set_id) as engine_set:
        engine_set.operation = operation
        engine_set.machines = [
            Machine("", "", plan.engines_on(index)) for index in range(plan.vm_count)
        ]
    order.progress.say(f"Azure has accepted {plan.vm_count} machines")


async def bring_up(
    order: Order, settings: Settings, set_id: str, requesting: "asyncio.Future[None]"
) -> int:
    """Wait for the controller and the machines of a set, start both sides; returns the number of
    engines that registered, which is at least settings.min_engines.

    One connection to the controller serves both sides, and the engines' machines are logged in to
    through it while the controller is being set up. `requesting` may still ask for the controller;
    what it raises is raised. Raises BootTimeout, BootstrapFailed,
    EnginesMissing, or what Azure said of the machines.
    """
    record = require_alive(order.file, set_id)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        operation = record.engine_sets[set_id].operation
        watch = watch_operation(api, order.file, operation, "the engines' machines")
        starting = _start_both(api, order, settings, set_id, requesting)
        registered = await while_watching(watch, starting)
    with edited_set(order.file, set_id) as engine_set:
        engine_set.state = READY
    return registered


async def _start_both(
    api: AzureApi,
    order: Order,
    settings: Settings,
    set_id: str,
    requesting: "asyncio.Future[None]",
) -> int:
    """Controller, engines and tunnels, each as soon as what it needs is there; none is left
    running when one fails."""
    deadline = asyncio.get_running_loop().time() + settings.boot_timeout_s
    async with AsyncExitStack() as connections:
        gate = asyncio.ensure_future(open_gate(order, settings, connections))
        running = asyncio.ensure_future(controller_running(order, gate))
        exist = asyncio.ensure_future(_machines_exist(api, order, set_id, deadline))
        starting = asyncio.ensure_future(
            start_engine_set(
                order, set_id, deadline, gate, exist, running, min_engines=settings.min_engines
            )
        )
        tunnels = asyncio.ensure_future(open_tunnels(order, running))
        await all_or_none(requesting, gate, running, exist, starting, tunnels)
    return starting.result()


async def _machines_exist(api: AzureApi, order: Order, set_id: str, deadline: float) -> None:
    """Wait until every machine of the set has an address; note which runs how many engines."""
    record = require_alive(order.file, set_id)
    counts = [machine.engines for machine in record.engine_sets[set_id].machines]
    with order.progress.counting("machines", len(counts)) as counter:
        machines = await wait_for_machines(
            api, order.file, set_id, len(counts), deadline=deadline, on_progress=counter.set
        )
    with edited_set(order.file, set_id) as engine_set:
        engine_set.machines = [
            Machine(machine.name, machine.address, count)
            for machine, count in zip(machines, counts, strict=False)
        ]
