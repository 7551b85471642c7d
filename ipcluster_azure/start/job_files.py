"""Job files that start a cluster by themselves, made without a start: Azure is asked for nothing.

What Azure would have been asked stands in them as it is set, or as a parameter with a default. The
way to a cluster that was deployed by them is deployed.py.
"""

import sys
from dataclasses import dataclass, replace

from ..formatting import some
from ..naming import ClusterNames, Owner
from ..plan.arm_template import controller_template, engine_set_template
from ..plan.cluster_plan import (
    ClusterPlan,
    EngineSetPlan,
    check_engine_count,
    plan_cluster,
    plan_engine_set,
)
from ..progress import Progress
from ..record.contents import READY, Controller, EngineSet, Limits, Record
from ..record.file import RecordFile
from ..record.user_files import Preparation
from ..resource_manager.api import bridge
from ..settings.environment_checks import IMAGE
from ..settings.values import Settings
from .before_creation import working_directory
from .machine_python import expected_target, prepare_in, selection_of, tell
from .offline_place import offline_place, size_by_name
from .own_files import find_own_files
from .planning import Site, environment_for
from .request import ProcessSpec
from .self_starting import SET_ID, JobFiles, complete, pack, require_carried


@dataclass(frozen=True)
class Wish:
    """What the job files are to start: `n` engines, with these settings and processes."""

    n: int
    settings: Settings
    engine_settings: Settings
    controller: ProcessSpec
    engines: ProcessSpec
    preparation: Preparation


async def make_job_files(file: RecordFile, wish: Wish, progress: Progress) -> JobFiles:
    """Make the job files of a new cluster.

    Raises ConfigurationError for what is impossible, or what no job file can carry.
    """
    check_engine_count(wish.engine_settings, wish.n)
    found = find_own_files(wish.settings, file, working_directory(), [*sys.path])
    own_files = "" if found.archive is None else some(sorted(found.manifest.files), 10)
    require_carried(own_files, priced=bool(wish.settings.max_cost))
    site = await _site(file, wish, progress)
    plan = _plan(site)
    engines = plan_engine_set(
        replace(wish.engine_settings, location=plan.location),
        plan,
        set_id=SET_ID,
        n=wish.n,
        size=size_by_name(wish.engine_settings, engines=True),
    )
    record = _record(wish, site, plan, engines)
    packed = await bridge(pack, file, record, wish.n)
    templates = controller_template(plan), engine_set_template(plan, engines)
    made = complete(file, record, packed, *templates)
    if not site.place.ssh_sources:
        del made.controller["parameters"]["sshSources"]["defaultValue"]
    return made


def _plan(site: Site) -> ClusterPlan:
    """Plan the controller and its network: in no group yet, and a deployment makes the tags."""
    plan = plan_cluster(
        site.place.settings,
        names=site.names,
        size=site.sizes[0],
        tags=site.place.settings.tags,
        ssh_sources=site.place.ssh_sources,
        own_source=site.place.own_source,
        identity=site.limits.self_deletion,
    )
    return replace(plan, resource_group="", owns_resource_group=False)


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


def _record(wish: Wish, site: Site, plan: ClusterPlan, engines: EngineSetPlan) -> Record:
    """Return what will be on record of the cluster, as far as it is known before it is deployed."""
    return Record(
        cluster_id="",
        created="",
        endpoint=site.place.endpoint,
        plan=plan,
        environment=environment_for(site),
        state=READY,
        limits=site.limits,
        preparation=site.preparation,
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
