"""Order and settings -> what will be asked of Azure, and the record of it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..naming import ClusterNames, cluster_tags
from ..plan.arm_template import cloud_config
from ..plan.cluster_plan import ClusterPlan, EngineSetPlan, VmSize, plan_cluster, plan_engine_set
from ..private_files import write_private
from ..record.abort import require_alive
from ..record.contents import Controller, Limits, Record
from ..resource_manager.api import AzureApi
from ..resource_manager.waiting import all_or_none
from ..settings.values import Settings
from ..ssh.environment import environment_of
from ..ssh.keys import KeyPair
from .preflight import Place
from .request import Order
from .sizes import Market, engine_sizes, look
from .start_controller import network_ready


@dataclass(frozen=True)
class Site:
    """A place that was looked at: the settings are complete, the names are free, and the controller
    may have any of the sizes, best first. `limits` say when the cluster ends by itself."""

    place: Place
    names: ClusterNames
    sizes: tuple[VmSize, ...]
    limits: Limits


def plan_controller(order: Order, site: Site) -> ClusterPlan:
    """A new cluster's plan."""
    settings = site.place.settings
    tags = cluster_tags(
        cluster=site.names.base,
        profile=order.profile,
        cluster_id=order.cluster_id,
        max_lifetime_h=settings.max_lifetime_h,
        user_tags=settings.tags,
    )
    return plan_cluster(
        settings,
        names=site.names,
        size=site.sizes[0],
        tags=tags,
        ssh_sources=site.place.ssh_sources,
        own_source=site.place.own_source,
        identity=site.limits.self_deletion,
    )


async def plan_engines(
    order: Order, settings: Settings, set_id: str, n: int
) -> list[EngineSetPlan]:
    """Plans of n engines more in the cluster on record, best first.

    Returns once engines can be requested there.
    """
    cluster = require_alive(order.file).plan
    ready = asyncio.ensure_future(network_ready(order.file))
    settled = replace(
        settings,
        location=cluster.location,
        subscription_id=cluster.subscription_id,
        admin_username=cluster.machine.admin_username,
    )
    looking = asyncio.ensure_future(_look(order, settled))
    await all_or_none(ready, looking)
    return [
        plan_engine_set(settled, cluster, set_id=set_id, n=n, size=size)
        for size in engine_sizes(settled, looking.result(), n, None)
    ]


async def _look(order: Order, settings: Settings) -> Market:
    record = require_alive(order.file)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        return await look(api, settings, order.file.profile_dir)


def new_record(
    order: Order, site: Site, plan: ClusterPlan, host_key: str, resources: list[str]
) -> Record:
    settings = site.place.settings
    return Record(
        cluster_id=order.cluster_id,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        endpoint=site.place.endpoint,
        plan=plan,
        environment=environment_of(
            settings.python_environment, settings.image_python, settings.requirements
        ),
        limits=site.limits,
        controller=Controller(
            job_file=str(order.job_file),
            alternatives=list(site.sizes[1:]),
            host_key=host_key,
            args=list(order.args),
            variables=dict(order.variables),
        ),
        resources=resources,
        secret_files=[str(order.parameter_file), *map(str, order.client_files.values())],
    )


def secure_parameters(public_key: str, host_key: KeyPair) -> dict[str, str]:
    """Values of the templates' secure parameters."""
    custom_data = cloud_config(host_key.private, host_key.public)
    return {"sshPublicKey": public_key, "customData": custom_data}


def write_parameters(order: Order, values: Mapping[str, str]) -> None:
    """In the form that `az deployment group create` takes; once the record names the file."""
    content = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in values.items()},
    }
    write_private(order.parameter_file, json.dumps(content))
