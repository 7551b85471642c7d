"""Order and settings -> what will be asked of Azure, and the record of it."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from . import bootstrap
from .azure_api import AzureApi
from .controller import network_ready
from .keys import KeyPair
from .naming import ClusterNames, cluster_tags
from .order import Order
from .plan import ClusterPlan, EngineSetPlan, VmSize, plan_cluster, plan_engine_set
from .preflight import Place, choose_size
from .record import Controller, Limits, Record
from .record_file import write_private
from .settings import Settings
from .template import cloud_config


@dataclass(frozen=True)
class Site:
    """A place that was looked at: the settings are complete, the VM size may be used."""

    place: Place
    size: VmSize


def plan_controller(order: Order, site: Site) -> ClusterPlan:
    """A new cluster's plan, with names that nobody has used."""
    settings = site.place.settings
    names = ClusterNames.for_cluster(order.profile, order.cluster_id)
    tags = cluster_tags(
        cluster=names.base,
        profile=order.profile,
        cluster_id=order.cluster_id,
        max_lifetime_h=settings.max_lifetime_h,
        user_tags=settings.tags,
    )
    return plan_cluster(
        settings, names=names, size=site.size, tags=tags, ssh_sources=site.place.ssh_sources
    )


async def plan_engines(
    order: Order, settings: Settings, set_id: str, n: int
) -> tuple[Record, EngineSetPlan]:
    """The plan of n engines more in the cluster on record, which has settled where they go."""
    record = await network_ready(order.file)
    cluster = record.plan
    settled = replace(
        settings,
        location=cluster.location,
        subscription_id=cluster.subscription_id,
        admin_username=cluster.machine.admin_username,
    )
    with AzureApi(record.endpoint, cluster.subscription_id) as api:
        size = await choose_size(api, settled, order.file.profile_dir)
    return record, plan_engine_set(settled, cluster, set_id=set_id, n=n, size=size)


def new_record(
    order: Order, site: Site, plan: ClusterPlan, host_key: str, resources: list[str]
) -> Record:
    settings = site.place.settings
    return Record(
        cluster_id=order.cluster_id,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        endpoint=site.place.endpoint,
        plan=plan,
        environment=bootstrap.environment_of(
            settings.python_environment, settings.image_python, settings.requirements
        ),
        limits=Limits(settings.max_lifetime_h, settings.idle_timeout_min),
        controller=Controller(
            host_key=host_key, args=list(order.args), variables=dict(order.variables)
        ),
        resources=resources,
        secret_files=[str(order.parameter_file), *map(str, order.client_files.values())],
    )


def write_parameters(order: Order, public_key: str, host_key: KeyPair) -> dict[str, str]:
    """The templates' secure parameters, in the form that `az deployment group create` takes."""
    custom_data = cloud_config(host_key.private, host_key.public)
    values = {"sshPublicKey": public_key, "customData": custom_data}
    content = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in values.items()},
    }
    write_private(order.parameter_file, json.dumps(content))
    return values
