"""READ FIRST: the steps of a start, in order.

    find_site           settings -> where the cluster can be; refuses what can't, creates nothing
                        (profile_trial.py's `prepare` tries the profile's configuration beside it)
    request_controller  the record, the network and the controller's machine
    request_engines     the machines of an engine set, in that network
    bring_up            both sides from booting machines to engines that are registered; in
                        bring_up.py, which is imported while Azure is at work: it needs asyncssh

A request returns once Azure has accepted it, not when the machines have booted. ipyparallel calls
its launchers one after the other, but the machines boot together: nothing waits for them before
bring_up, and where engines come next, request_controller goes on beside request_engines as soon as
the network is there.

What the steps know of each other is in the record: they may run on different event loops, and for
engines that are added later in different processes. The way back is stop/teardown.py.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..errors import AzureLauncherError
from ..naming import ClusterNames, Owner
from ..plan.cluster_plan import EngineSetPlan
from ..plan.image import Image
from ..record.contents import Limits
from ..record.file import RecordFile
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.asker import asker, doubts
from ..resource_manager.azure_time import azure_now
from ..resource_manager.compute import import_beside
from ..resource_manager.images import find_image
from ..resource_manager.waiting import all_or_none
from ..settings.image_reference import parse_image
from ..settings.values import Settings
from ..ssh.keys import KeyPair
from . import scheduled_end
from .cost import cost_in_words, expected_cost, limited, priced
from .engine_identity import check_identity
from .extras import EXTRA_SCALE_SET
from .limits import find_limits, promise
from .machine_requests import request_controller_machine, request_machines
from .next_place import first_with_room, next_plan
from .planning import Site, plan_controller, plans_with_room, put_on_record
from .preflight import Place, check_access, find_place
from .provision import create_group
from .request import JobFile, ProcessSpec, StartContext
from .size_choice import require_one_architecture
from .sizes import Market, controller_sizes, engine_sizes, look, usable
from .subnet_rules import check_subnet


async def find_site(
    file: RecordFile, settings: Settings, engine_settings: Settings | None, n: int | None
) -> Site:
    """Complete and check the settings. Raises before anything is created, within 10 s.

    `engine_settings` are None where no engines come next, `n` is None where their number is open.
    """
    import_beside()
    place, names, found = await _ask_azure(file, settings, engine_settings)
    sizes = controller_sizes(place.settings, found.market)
    image = found.market.image
    site = Site(place, names, tuple(sizes), found.limits, found.owner, image=image)
    plans: list[EngineSetPlan] = []
    if engine_settings is not None:
        plans = _plan_first_engines(file, engine_settings, n, site, found)
    cost = expected_cost(place.settings, found.market.prices, image, sizes, plans)
    limits = limited(found.limits, cost, azure_now(place.endpoint))
    return replace(site, cost=cost, limits=limits)


@dataclass(frozen=True)
class _Found:
    """What Azure says of the place; `engine_image` is what the engines' machines are made of."""

    market: Market
    limits: Limits
    owner: Owner
    engine_image: Image


async def _ask_azure(
    file: RecordFile, settings: Settings, engine_settings: Settings | None
) -> tuple[Place, ClusterNames, _Found]:
    """Ask for all at once that doesn't depend on one another: no request waits for another's."""
    place = await find_place(settings)
    with AzureApi(place.endpoint, place.settings.subscription_id) as api:
        names = await free_names(api, file, place)
        owner = await bridge(asker, api)
        also = engine_settings.vm_size if engine_settings is not None else ()
        looking = asyncio.ensure_future(look(api, place.settings, file.profile_dir, also))
        limiting = asyncio.ensure_future(find_limits(api, place.settings))
        imaging = asyncio.ensure_future(_engine_image(api, place.settings, engine_settings))
        checking = asyncio.ensure_future(check_subnet(api, place))
        identity = engine_settings.engine_identity if engine_settings else ""
        identifying = asyncio.ensure_future(check_identity(api, identity))
        await all_or_none(looking, limiting, imaging, checking, identifying)
    market = looking.result()
    return place, names, _Found(market, limiting.result(), owner, imaging.result() or market.image)


async def _engine_image(
    api: AzureApi, settings: Settings, engine_settings: Settings | None
) -> Image | None:
    """Look at the engines' image, None if it is the controller's, or no engines come next."""
    if engine_settings is None or engine_settings.image == settings.image:
        return None
    return await find_image(api, parse_image(engine_settings.image), settings.location)


async def free_names(api: AzureApi, file: RecordFile, place: Place) -> ClusterNames:
    """Choose names that no cluster has; else a group that isn't ours would be deleted with it."""
    while True:
        names = ClusterNames.for_cluster(
            file.profile, file.cluster_id, place.settings.name_template
        )
        if await check_access(api, place.settings, names.base):
            return names


def _plan_first_engines(
    file: RecordFile, settings: Settings, n: int | None, site: Site, found: _Found
) -> list[EngineSetPlan]:
    """Plan the engines that come next, as far as their number is known.

    Raises what speaks against having them beside the controller.
    """
    there = replace(settings, location=site.place.settings.location)
    market = replace(found.market, image=found.engine_image)
    plans: list[EngineSetPlan] = []
    if n is None:
        sizes = usable(there, market.offers, market.image, there.priority, EXTRA_SCALE_SET)
    else:
        sizes = engine_sizes(there, market, n, site.sizes[0])
        plans = plans_with_room(there, plan_controller(file, site), "", n, sizes)
    require_one_architecture(there, sizes, site.sizes[0].name, market.offers)
    return priced(plans, market.prices, market.image)


async def request_controller(
    context: StartContext,
    site: Site,
    job: JobFile,
    process: ProcessSpec,
    *,
    login_key: KeyPair,
    announce: Callable[[], None],
    on_network: Callable[[], None],
) -> None:
    """Write the record, then ask Azure for the network and the controller's machine.

    `login_key` will be the key to all machines of the cluster. Calls `announce` just before the
    record is written, and `on_network` as soon as engines can be requested. Returns once Azure has
    accepted.
    """
    record, planned = put_on_record(context, site, job, process, login_key, announce)
    created = datetime.fromisoformat(record.created)
    costs = f"{cost_in_words(record.cost, record.limits, created, created)}."
    if not context.only_machines:  # these have a promise of their own, once they are there
        costs += f" {promise(record.limits, record.plan)}"
    context.progress.promise(costs)
    for doubt in doubts(site.owner):
        context.progress.log.warning(doubt)
    context.progress.say(f"Requesting the controller, {site.sizes[0]} in {record.plan.location}")
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        await create_group(api, context.file, record.plan)
        preparing = asyncio.ensure_future(scheduled_end.prepare(api, record))
        work = request_controller_machine(api, context, record.plan, planned, on_network)
        requesting = asyncio.ensure_future(work)
        await all_or_none(preparing, requesting)
    host = requesting.result()
    context.progress.say(f"Azure has accepted the controller; it will answer at {host}")


async def request_engines(
    context: StartContext, plans: Sequence[EngineSetPlan], job: JobFile
) -> list[EngineSetPlan]:
    """Ask Azure for the machines of an engine set, by the first of the plans that it has room for.

    Returns the plans that are left, to be tried should there be no room after all.
    """
    left = list(plans)

    async def attempt(refusal: AzureLauncherError | None) -> None:
        await request_machines(context, next_plan(context, left, refusal), job)

    await first_with_room(attempt)
    return left
