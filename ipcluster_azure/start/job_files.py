"""Job files that start a cluster by themselves, made without a start: Azure is asked for nothing.

What Azure would have been asked stands in them as it is set, or as a parameter with a default. The
way to a cluster that was deployed by them is deployed.py.
"""

import json
import math
import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigurationError
from ..formatting import some
from ..naming import NOBODY, ClusterNames, Owner
from ..plan.arm_template import controller_template, engine_set_template
from ..plan.cluster_plan import (
    ClusterPlan,
    EngineSetPlan,
    check_engine_count,
    plan_cluster,
    plan_engine_set,
)
from ..plan.resource_types import Json
from ..plan.self_start import SelfStart, starting_controller, starting_engines
from ..progress import Progress
from ..record.contents import READY, Controller, EngineSet, Limits, Record
from ..record.file import RecordFile
from ..record.user_files import Preparation
from ..resource_manager.api import bridge
from ..settings.environment_checks import IMAGE
from ..settings.values import Settings
from ..ssh.bundle import exports
from ..ssh.carried_programs import controller_programs, engine_programs
from ..ssh.keys import make_host_key, make_login_key
from .before_creation import working_directory
from .carried import packages_of
from .machine_python import expected_target, prepare_in, selection_of, tell
from .offline_place import offline_place, size_by_name
from .own_files import find_own_files
from .planning import Site, environment_for
from .request import ProcessSpec

SET_ID = "engines"
RESOURCES = "resources"  # type and name of each, of both job files
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"


@dataclass(frozen=True)
class Wish:
    """What the job files are to start: `n` engines, with these settings and processes."""

    n: int
    settings: Settings
    engine_settings: Settings
    controller: ProcessSpec
    engines: ProcessSpec
    preparation: Preparation


@dataclass(frozen=True)
class JobFiles:
    """Two templates, and the parameters without a default of both, which are secrets.

    `parameters` has besides, as "metadata", what attaching to the cluster takes: the private key
    that logs in, and a record as it will be; ARM clients pass over that.
    """

    controller: Json
    engines: Json
    parameters: Json


async def make_job_files(file: RecordFile, wish: Wish, progress: Progress) -> JobFiles:
    """Make the job files of a new cluster.

    Raises ConfigurationError for what is impossible, or what no job file can carry.
    """
    check_engine_count(wish.engine_settings, wish.n)
    _require_no_price(wish.settings)
    _require_nothing_of_yours(file, wish.settings)
    site = await _site(file, wish, progress)
    plan = _plan(site)
    engine_size = size_by_name(wish.engine_settings, engines=True)
    engines = plan_engine_set(
        replace(wish.engine_settings, location=plan.location),
        plan,
        set_id=SET_ID,
        n=wish.n,
        size=engine_size,
    )
    parts = await bridge(_parts, file, wish, site, plan, engines)
    controller = starting_controller(controller_template(plan), plan, parts)
    engine_set = starting_engines(engine_set_template(plan, engines), plan, engines, parts)
    if not site.place.ssh_sources:
        del controller["parameters"]["sshSources"]["defaultValue"]
    templates = [controller, engine_set]
    parameters = await bridge(_parameters, wish, site, plan, engines, templates)
    return JobFiles(controller, engine_set, parameters)


def _plan(site: Site) -> ClusterPlan:
    """Plan the controller and its network: in no group yet, and a deployment makes the tags."""
    plan = plan_cluster(
        site.place.settings,
        names=site.names,
        size=site.sizes[0],
        tags={},
        ssh_sources=site.place.ssh_sources,
        own_source=site.place.own_source,
        identity=site.limits.self_deletion,
    )
    return replace(plan, resource_group="", owns_resource_group=False)


def _require_no_price(settings: Settings) -> None:
    if settings.max_cost:
        raise ConfigurationError(
            "Job files can't hold max_cost: what machines cost depends on where and when they are "
            "deployed. Set max_lifetime_h instead, and c.AzureVMLauncher.max_cost = 0."
        )


def _require_nothing_of_yours(file: RecordFile, settings: Settings) -> None:
    found = find_own_files(settings, file, working_directory(), [*sys.path])
    if found.archive is not None:
        names = some(sorted(found.manifest.files), 10)
        raise ConfigurationError(
            f"The job files can't carry your own files: {names}. Leave them out, "
            "with c.AzureVMLauncher.sync_paths = [], or make a package of them, and give the "
            "address of its wheel in requirements: 'NAME @ https://...'."
        )


async def _site(file: RecordFile, wish: Wish, progress: Progress) -> Site:
    settings = wish.settings
    size = size_by_name(settings, engines=False)
    place = await offline_place(settings)
    limits = Limits(
        max_lifetime_h=settings.max_lifetime_h, idle_timeout_min=settings.idle_timeout_min
    )
    limits.self_deletion = settings.self_deletion != "off" and bool(
        limits.max_lifetime_h or limits.idle_timeout_min
    )
    python = None
    if settings.python_environment != IMAGE:
        selection, target = selection_of(settings), expected_target(settings)
        python = await bridge(prepare_in, file.environment_dir, selection, target, progress.say)
        tell(python, progress)
    names = ClusterNames.for_cluster(file.profile, file.cluster_id, settings.name_template)
    return Site(place, names, (size,), limits, Owner(), wish.preparation, python=python)


def _parts(
    file: RecordFile, wish: Wish, site: Site, plan: ClusterPlan, engines: EngineSetPlan
) -> SelfStart:
    environment, endpoint = environment_for(site), site.place.endpoint
    ca_pem = Path(endpoint.ca_file).read_text(encoding="utf-8") if endpoint.ca_file else ""
    programs = controller_programs(
        file.profile_dir,
        site.preparation.files,
        wish.n,
        packages_of(environment),
        environment,
    )
    owner = {name: value for name, value in Owner().tags.items() if NOBODY not in value}
    ours = {"profile": file.profile, "cluster-id": file.cluster_id, **owner}
    return SelfStart(
        controller_programs=programs,
        engine_programs=engine_programs(),
        kind=environment.kind,
        image_python=environment.image_python,
        resource_manager=endpoint.url,
        audience=endpoint.audience,
        max_lifetime_s=math.ceil(site.limits.max_lifetime_h * 3600),
        idle_timeout_s=math.ceil(site.limits.idle_timeout_min * 60),
        ca_pem=ca_pem,
        controller_cmd=wish.controller.cmd,
        controller_args=wish.controller.args,
        engine_cmd=wish.engines.cmd,
        engine_args=wish.engines.args,
        scale_sets=[engines.scale_set],
        tags={
            **wish.settings.tags,
            **{f"ipcluster-azure-{name}": value for name, value in ours.items()},
        },
    )


def _parameters(
    wish: Wish, site: Site, plan: ClusterPlan, engines: EngineSetPlan, templates: list[Json]
) -> Json:
    """Make the cluster's secrets; takes some 0.1 s."""
    login, controller, engine = make_login_key(), make_host_key(), make_host_key()
    values = {
        "sshPublicKey": login.public,
        "clusterKey": secrets.token_hex(32),
        "controllerHostKey": controller.private,
        "controllerHostPublicKey": controller.public,
        "engineHostKey": engine.private,
        "engineHostPublicKey": engine.public,
        "controllerVariables": exports(wish.controller.variables),
        "engineVariables": exports(wish.engines.variables),
    }
    record = _record(wish, site, plan, engines)
    record.controller.host_key = controller.public
    record.engine_sets[SET_ID].host_key = engine.public
    made = [resource for one in templates for resource in one["resources"]]
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in values.items()},
        "metadata": {
            "loginKey": login.private,
            RESOURCES: [[one["type"], one["name"]] for one in made if "condition" not in one],
            "record": json.loads(record.to_json()),
        },
    }


def _record(wish: Wish, site: Site, plan: ClusterPlan, engines: EngineSetPlan) -> Record:
    """Return what will be on record of the cluster, as far as it is known before it is deployed."""
    environment = replace(environment_for(site), lock="", wheels=[], asked={})
    return Record(
        cluster_id="",
        created="",
        endpoint=site.place.endpoint,
        plan=plan,
        environment=environment,
        state=READY,
        limits=site.limits,
        controller=Controller(
            state=READY,
            network_ready=True,
            args=list(wish.controller.args),
            cmd=list(wish.controller.cmd),
            variables=dict(wish.controller.variables),
            boot_timeout_s=wish.settings.boot_timeout_s,
        ),
        engine_sets={
            SET_ID: EngineSet(
                scale_set_id=engines.scale_set,
                n=engines.n,
                engines_per_vm=engines.engines_per_vm,
                vcpus=engines.vcpus,
                host_key="",
                state=READY,
                args=list(wish.engines.args),
                cmd=list(wish.engines.cmd),
                variables=dict(wish.engines.variables),
                boot_timeout_s=wish.engine_settings.boot_timeout_s,
            )
        },
    )
