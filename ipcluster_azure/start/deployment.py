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
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from ..errors import NO_ROOM, AzureLauncherError
from ..naming import ClusterNames
from ..plan.arm_template import Json, controller_template, engine_set_template
from ..plan.cluster_plan import ClusterPlan, EngineSetPlan
from ..plan.requests import ResourceRequest, requests
from ..private_files import write_private
from ..record.abort import edited_set, require_alive
from ..record.contents import READY, EngineSet, Machine
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.compute import import_beside
from ..resource_manager.waiting import all_or_none
from ..settings.values import Settings
from ..ssh.keys import make_host_key, make_login_key
from . import scheduled_end
from .engine_set import EngineSide
from .limits import find_limits, promise
from .next_place import note_controller, place_again
from .planning import Site, new_record, plan_controller, secure_parameters, write_parameters
from .preflight import Place, check_access, find_place
from .provision import create_all, create_group, create_resource
from .request import Order
from .self_deletion import allow_self_deletion
from .sizes import controller_sizes, engine_sizes, look, usable
from .start_controller import controller_running, open_gate, open_tunnels

Submit = Callable[[Json], None]


async def find_site(
    order: Order, settings: Settings, engine_settings: Settings | None, n: int | None
) -> Site:
    """Complete and check the settings. Raises before anything is created, within 10 s.

    `n`: how many engines come next, if that is known.
    """
    import_beside()
    place = await find_place(settings)
    with AzureApi(place.endpoint, place.settings.subscription_id) as api:
        names = await _free_names(api, order, place)
        looking = asyncio.ensure_future(look(api, place.settings, order.file.profile_dir))
        limiting = asyncio.ensure_future(find_limits(api, place.settings))
        await all_or_none(looking, limiting)
    market = looking.result()
    sizes = controller_sizes(place.settings, market)
    if engine_settings is not None:
        there = replace(engine_settings, location=place.settings.location)
        if n is None:
            usable(there, market.offers)
        else:
            engine_sizes(there, market, n, sizes[0])
    return Site(place, names, tuple(sizes), limiting.result())


async def _free_names(api: AzureApi, order: Order, place: Place) -> ClusterNames:
    """Names that no cluster has; else a group that isn't ours would be deleted with it."""
    while True:
        names = ClusterNames.for_cluster(order.profile, order.cluster_id)
        if await check_access(api, place.settings, names.base):
            return names


async def request_controller(
    order: Order,
    site: Site,
    announce: Callable[[], None],
    submit: Submit,
    on_network: Callable[[], None],
) -> None:
    """Write the record, then ask Azure for the network and the controller's machine.

    Calls `on_network` as soon as engines can be requested. `announce` is called just before the
    record is written.

    `submit` is called with the template once the record exists, before the first create call; it
    writes the job file. What is submitted is what that says.
    """
    file, plan = order.file, plan_controller(order, site)
    login_key, host_key = await bridge(make_login_key), make_host_key()
    parameters = secure_parameters(login_key.public, host_key)
    template = controller_template(plan)
    planned = requests(template, parameters, plan)
    record = new_record(order, site, plan, host_key.public, [item.id for item in planned])
    announce()
    file.create(record)
    submit(template)
    # secrets last: who dies before has left none, who dies later a cluster that can be stopped
    write_private(file.key_file, login_key.private)
    write_private(file.public_key_file, login_key.public)
    write_parameters(order, parameters)
    order.progress.log.info(promise(site.limits, plan))
    order.progress.say(f"Requesting the controller, {site.sizes[0]} in {plan.location}")
    network = partial(_note_network, file, on_network)
    with AzureApi(site.place.endpoint, plan.subscription_id) as api:
        await create_group(api, file, plan)
        preparing = asyncio.ensure_future(scheduled_end.prepare(api, file.require()))
        creating = asyncio.ensure_future(_create_controller(api, order, plan, planned, network))
        await all_or_none(preparing, creating)
    host = file.require().controller.host
    order.progress.say(f"Azure has accepted the controller; it will answer at {host}")


async def _create_controller(
    api: AzureApi,
    order: Order,
    plan: ClusterPlan,
    planned: Sequence[ResourceRequest],
    on_network: Callable[[], None],
) -> None:
    try:
        answers = await create_all(api, order.file, planned, on_network, order.progress)
    except NO_ROOM as error:
        await _place_until_accepted(api, order, error)
    else:
        note_controller(order.file, plan, planned[-1], answers)
        await allow_self_deletion(api, order.file, order.progress)


async def _place_until_accepted(api: AzureApi, order: Order, why: AzureLauncherError) -> None:
    while True:
        try:
            return await place_again(api, order.file, order.progress, why)
        except NO_ROOM as error:
            if error is why:
                raise
            why = error


def _note_network(file: RecordFile, on_network: Callable[[], None]) -> None:
    with file.edit() as record:
        record.controller.network_ready = True
    on_network()


async def request_engines(
    order: Order, plans: Sequence[EngineSetPlan], submit: Submit
) -> Sequence[EngineSetPlan]:
    """Ask Azure for the machines of one engine set more, in the cluster's network.

    Returns those of the plans that are left to try should there be no room after all.
    """
    while True:
        plan, *others = plans
        try:
            await _request_set(order, plan, submit)
        except NO_ROOM as error:
            if not others:
                raise
            order.progress.log.warning("%s", error)
            plans = others
        else:
            return others


async def _request_set(order: Order, plan: EngineSetPlan, submit: Submit) -> None:
    file, record = order.file, require_alive(order.file)
    cluster, host_key = record.plan, make_host_key()
    parameters = secure_parameters(file.public_key_file.read_text(), host_key)
    template = engine_set_template(cluster, plan)
    (request,) = requests(template, parameters, cluster)
    with file.edit() as record:
        record.engine_sets[plan.set_id] = EngineSet(
            scale_set_id=request.id,
            n=plan.n,
            engines_per_vm=plan.engines_per_vm,
            vcpus=plan.vcpus,
            host_key=host_key.public,
        )
        record.resources.append(request.id)
        record.secret_files.append(str(order.parameter_file))
    submit(template)
    write_parameters(order, parameters)
    where = f" in zone {plan.machine.zone}" if plan.machine.zone else ""
    order.progress.say(
        f"Requesting {plan.vm_count} x {plan.machine.vm_size}{where} for {plan.n} engines"
    )
    with AzureApi(record.endpoint, cluster.subscription_id) as api:
        _, operation = await create_resource(api, file, request, order.progress)
    with edited_set(file, plan.set_id) as engine_set:
        engine_set.operation = operation
        engine_set.machines = [
            Machine("", "", plan.engines_on(index)) for index in range(plan.vm_count)
        ]
    order.progress.say(f"Azure has accepted {plan.vm_count} machines")


async def bring_up(
    order: Order,
    settings: Settings,
    set_id: str,
    requesting: "asyncio.Future[None]",
    *,
    others: Sequence[EngineSetPlan],
    submit: Submit,
) -> int:
    """Wait for the controller and the machines of a set, start both sides; returns the number of
    engines that registered, which is at least settings.min_engines.

    One connection to the controller serves both sides, and the engines' machines are logged in to
    through it while the controller is being set up. `requesting` may still ask for the controller;
    what it raises is raised. When there is no room for the machines, the `others` are tried.
    Raises BootTimeout, BootstrapFailed, EnginesMissing, or what Azure said of the machines.
    """
    record = require_alive(order.file, set_id)
    async with AsyncExitStack() as connections:
        api = connections.enter_context(AzureApi(record.endpoint, record.plan.subscription_id))
        gate = asyncio.ensure_future(open_gate(order, settings, connections))
        running = asyncio.ensure_future(controller_running(order, gate))
        tunnels = asyncio.ensure_future(open_tunnels(order, running))
        side = EngineSide(api, order, settings, set_id, requesting, gate, running)
        again = partial(request_engines, order, submit=submit)
        engines = asyncio.ensure_future(side.up(others, again))
        await all_or_none(requesting, gate, running, tunnels, engines)
    with edited_set(order.file, set_id) as engine_set:
        engine_set.args, engine_set.variables = list(order.args), dict(order.variables)
        engine_set.boot_timeout_s = settings.boot_timeout_s
        engine_set.state = READY
    return engines.result()
