"""Settings -> what will be asked of Azure, and the record of it."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..environment.selection import PreparedEnvironment
from ..errors import ConfigurationError
from ..naming import CREATED_TAG, ClusterNames, Owner, cluster_tags
from ..plan.arm_template import cloud_config, controller_template
from ..plan.cluster_plan import ClusterPlan, EngineSetPlan, plan_cluster, plan_engine_set
from ..plan.image import NO_IMAGE, Image
from ..plan.requests import ResourceRequest, requests
from ..plan.vm_sizes import VmSize
from ..private_files import write_private
from ..record.abort import edited, require_alive
from ..record.contents import Controller, Limits, Record
from ..record.cost import Cost
from ..record.environment import Environment
from ..record.file import RecordFile
from ..record.user_files import Preparation
from ..resource_manager.api import AzureApi
from ..resource_manager.azure_time import azure_now
from ..resource_manager.waiting import all_or_none
from ..settings.environment_checks import LOCK
from ..settings.values import Settings
from ..ssh.environment import environment_of
from ..ssh.keys import KeyPair, make_host_key
from .asked_packages import asked_of
from .controller_wait import network_ready
from .cost import priced, require_affordable
from .engine_identity import check_identity
from .own_files import FilesToSend, put_beside
from .preflight import Place
from .request import JobFile, ProcessSpec, StartContext
from .size_choice import require_one_architecture
from .sizes import engine_sizes, look


@dataclass(frozen=True)
class Site:
    """Where a cluster can be, as Azure says: the settings are complete, and the names are free.

    `sizes` are those that the controller may have, best first. `limits` say when the cluster ends
    by itself; `owner` is who asks; `preparation` says what engines are configured to run;
    `own_files` are the user's that they get; `image` is what the controller's machine is made of;
    `python` is what all machines install, None where their image has it; `cost` is what the cluster
    will cost with the engines that come next; `asked` is what asked_by of created.py makes of the
    settings.
    """

    place: Place
    names: ClusterNames
    sizes: tuple[VmSize, ...]
    limits: Limits
    owner: Owner = field(default_factory=Owner)
    preparation: Preparation = field(default_factory=Preparation)
    own_files: FilesToSend = field(default_factory=FilesToSend)
    image: Image = NO_IMAGE
    python: PreparedEnvironment | None = None
    cost: Cost = field(default_factory=Cost)
    asked: Mapping[str, Any] = field(default_factory=dict)


def plan_controller(file: RecordFile, site: Site) -> ClusterPlan:
    """Plan a new cluster, from now on: its controller's machine, and the network around it."""
    settings = site.place.settings
    tags = cluster_tags(
        cluster=site.names.base,
        profile=file.profile,
        cluster_id=file.cluster_id,
        owner=site.owner,
        max_lifetime_h=site.limits.max_lifetime_h,
        user_tags=settings.tags,
        now=azure_now(site.place.endpoint),
    )
    return plan_cluster(
        settings,
        names=site.names,
        size=site.sizes[0],
        tags=tags,
        ssh_sources=site.place.ssh_sources,
        own_source=site.place.own_source,
        identity=site.limits.self_deletion,
        purchase_plan=site.image.purchase_plan,
    )


async def plan_engines(
    file: RecordFile, settings: Settings, set_id: str, n: int
) -> list[EngineSetPlan]:
    """Plan n engines more in the cluster on record: a plan for each place, the best first.

    Returns once their machines can be requested there. Raises as `engine_sizes` does.
    """
    record = require_alive(file)
    settled = replace(
        settings,
        location=record.plan.location,
        subscription_id=record.plan.subscription_id,
        admin_username=record.plan.machine.admin_username,
    )
    with AzureApi(record.endpoint, settled.subscription_id) as api:
        ready = asyncio.ensure_future(network_ready(file, record))
        looking = asyncio.ensure_future(look(api, settled, file.profile_dir))
        checking = asyncio.ensure_future(check_identity(api, settled.engine_identity))
        await all_or_none(ready, looking, checking)
    others = sum(-(-item.n // item.engines_per_vm) for item in record.engine_sets.values())
    market = looking.result()
    sizes = engine_sizes(settled, market, n, None)
    require_one_architecture(settled, sizes, record.plan.machine.vm_size, market.offers)
    bought = market.image.purchase_plan
    plans = plans_with_room(
        settled, record.plan, set_id, n, sizes, others=others, purchase_plan=bought
    )
    plans = priced(plans, market.prices, market.image)
    require_affordable(record, plans, azure_now(record.endpoint))
    return plans


def plans_with_room(
    settings: Settings,
    cluster: ClusterPlan,
    set_id: str,
    n: int,
    sizes: Sequence[VmSize],
    *,
    others: int = 0,
    purchase_plan: Mapping[str, str] | None = None,
) -> list[EngineSetPlan]:
    """Plan n engines on machines of each of the `sizes` that there are addresses enough for.

    `others`: machines of the cluster's other engine sets; `purchase_plan`: the image's.
    Raises ConfigurationError if no size is large enough for so many engines.
    """
    plans: list[EngineSetPlan] = []
    refusals: list[ConfigurationError] = []
    for size in sizes:
        try:
            plan = plan_engine_set(
                settings,
                cluster,
                set_id=set_id,
                n=n,
                size=size,
                others=others,
                purchase_plan=purchase_plan,
            )
        except ConfigurationError as error:
            refusals.append(error)
        else:
            plans.append(plan)
    if not plans:
        raise refusals[0]
    return plans


def put_on_record(
    context: StartContext,
    site: Site,
    job: JobFile,
    process: ProcessSpec,
    login_key: KeyPair,
    announce: Callable[[], None],
) -> tuple[Record, list[ResourceRequest]]:
    """Write the record of a new cluster, its job file, and its keys; nothing is asked of Azure.

    Calls `announce` just before. Returns the record, and what to ask of Azure, the machine last.
    """
    file, plan = context.file, plan_controller(context.file, site)
    host_key = make_host_key()
    parameters = secure_parameters(login_key.public, host_key)
    template = controller_template(plan)
    planned = requests(template, parameters, plan)
    record = _new_record(context, site, plan, job, process)
    record.controller.host_key = host_key.public
    record.resources = [request.id for request in planned]
    announce()
    file.create(record)
    job.submit(template)
    # secrets last: who dies before has left none, who dies later a cluster that can be stopped
    with edited(file):  # else a stop that comes now would erase them before they are written
        write_private(file.key_file, login_key.private)
        write_private(file.public_key_file, login_key.public)
        write_parameters(file.controller_parameters, parameters)
        put_beside(file, site.own_files)
    return record, planned


def _new_record(
    context: StartContext, site: Site, plan: ClusterPlan, job: JobFile, process: ProcessSpec
) -> Record:
    """Return the record of a new cluster, as yet without its host key and resource ids."""
    settings = site.place.settings
    return Record(
        cluster_id=context.file.cluster_id,
        created=plan.tags[CREATED_TAG],
        endpoint=site.place.endpoint,
        plan=plan,
        environment=environment_for(site),
        limits=site.limits,
        cost=replace(site.cost, since=plan.tags[CREATED_TAG]),
        preparation=site.preparation,
        own_files=site.own_files.record,
        asked=dict(site.asked),
        controller=Controller(
            job_file=str(job.path),
            alternatives=list(site.sizes[1:]),
            args=list(process.args),
            cmd=list(process.cmd),
            variables=dict(process.variables),
            boot_timeout_s=settings.boot_timeout_s,
        ),
        secret_files=[
            str(path)
            for path in (
                context.file.controller_parameters,
                *context.file.connection_files.values(),
            )
        ],
    )


def environment_for(site: Site) -> Environment:
    """Return what a record says of the machines' Python."""
    settings, python = site.place.settings, site.python
    if python is None:
        return environment_of(settings.python_environment, settings.image_python)
    made = environment_of(LOCK if settings.python_lock else settings.python_environment)
    wheels = [str(path) for path in python.wheels]
    asked = asked_of(python.selection, python.target)
    return replace(made, python=python.python, lock=str(python.lock), wheels=wheels, asked=asked)


def secure_parameters(public_key: str, host_key: KeyPair) -> dict[str, str]:
    """Return the values of the secure parameters of our templates, by name."""
    custom_data = cloud_config(host_key.private, host_key.public)
    return {"sshPublicKey": public_key, "customData": custom_data}


def write_parameters(path: Path, values: Mapping[str, str]) -> None:
    """Write a job file's secure parameters, in the form that `az deployment group create` takes.

    They are secrets: the record must name the file before, so that a stop removes it.
    """
    content = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in values.items()},
    }
    write_private(path, json.dumps(content))
