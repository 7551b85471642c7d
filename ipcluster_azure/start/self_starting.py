"""Job files of machines -> job files that also start a cluster on them, and their secrets.

`ipcluster-azure template` makes them without a start (job_files.py); a start completes those that
it has submitted (submitted_files.py). Both give what the cluster would be as a record.
"""

import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigurationError
from ..naming import NOBODY, Owner, is_ours
from ..plan.job_parameters import SelfStart
from ..plan.resource_types import Json
from ..plan.self_start import StartingSet, starting_controller, starting_engines
from ..record.contents import Record
from ..record.file import RecordFile
from ..record.user_files import Preparation
from ..ssh.bundle import exports
from ..ssh.carried_programs import archives, controller_programs, engine_programs
from ..ssh.keys import KeyPair, make_host_key, make_login_key
from .carried import packages_of

SET_ID = "engines"
RESOURCES = "resources"  # type and name of each, of both job files
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#"


@dataclass(frozen=True)
class JobFiles:
    """Two templates, and the parameters without a default of both, which are secrets.

    `base` is what the names of all that they make begin with. `parameters` has besides, as
    "metadata", what attaching to the cluster takes: the private key that logs in, and a record as
    it will be; ARM clients pass over that.
    """

    base: str
    controller: Json
    engines: Json
    parameters: Json


@dataclass(frozen=True)
class Packed:
    """What takes time to make, and none of the plan: programs as text, and new keys."""

    controller_programs: str
    engine_programs: str
    login: KeyPair
    controller_host: KeyPair
    engine_host: KeyPair


def pack(file: RecordFile, record: Record, n: int) -> Packed:
    """Pack the programs for a cluster of `n` engines, and make its keys; half a second of CPU.

    Raises ConfigurationError for packages that no job file can carry.
    """
    environment, run = record.environment, record.preparation.files
    packages = packages_of(environment)
    programs = controller_programs(file.profile_dir, run, n, packages, environment)
    controller, engines = archives(programs, engine_programs())
    return Packed(
        controller,
        engines,
        make_login_key(),
        make_host_key(),
        make_host_key(),
    )


def complete(
    file: RecordFile, record: Record, packed: Packed, controller: Json, engines: Json
) -> JobFiles:
    """Return the two job files so that they start the cluster that `record` describes.

    Its only engine set is SET_ID, with a name as its scale_set_id. Raises ConfigurationError for
    what is impossible.
    """
    plan, parts = record.plan, _parts(file, record, packed)
    engine_set = record.engine_sets[SET_ID]
    controller = starting_controller(controller, plan, parts)
    starting = StartingSet(
        set_id=SET_ID,
        scale_set=engine_set.scale_set_id,
        n=engine_set.n,
        engines_per_vm=engine_set.engines_per_vm,
        vcpus=engine_set.vcpus,
    )
    engines = starting_engines(engines, plan, starting, parts)
    parameters = _parameters(record, packed, [controller, engines])
    return JobFiles(plan.names.base, controller, engines, parameters)


def _parts(file: RecordFile, record: Record, packed: Packed) -> SelfStart:
    environment, endpoint, limits = record.environment, record.endpoint, record.limits
    ca_pem = Path(endpoint.ca_file).read_text(encoding="utf-8") if endpoint.ca_file else ""
    owner = {name: value for name, value in Owner().tags.items() if NOBODY not in value}
    ours = {"profile": file.profile, "cluster-id": file.cluster_id, **owner}
    users = {name: value for name, value in record.plan.tags.items() if not is_ours(name)}
    engine_set = record.engine_sets[SET_ID]
    return SelfStart(
        controller_programs=packed.controller_programs,
        engine_programs=packed.engine_programs,
        kind=environment.kind,
        image_python=environment.image_python,
        resource_manager=endpoint.url,
        audience=endpoint.audience,
        max_lifetime_s=math.ceil(limits.max_lifetime_h * 3600),
        idle_timeout_s=math.ceil(limits.idle_timeout_min * 60),
        ca_pem=ca_pem,
        controller_cmd=record.controller.cmd,
        controller_args=record.controller.args,
        engine_cmd=engine_set.cmd,
        engine_args=engine_set.args,
        scale_sets=[engine_set.scale_set_id],
        controller_variables_bytes=len(exports(record.controller.variables).encode()),
        engine_variables_bytes=len(exports(engine_set.variables).encode()),
        tags={**users, **{f"ipcluster-azure-{name}": value for name, value in ours.items()}},
    )


def _parameters(record: Record, packed: Packed, templates: list[Json]) -> Json:
    """Return the cluster's secrets, with a description of it that is no secret."""
    engine_set = record.engine_sets[SET_ID]
    values = {
        "sshPublicKey": packed.login.public,
        "clusterKey": secrets.token_hex(32),
        "controllerHostKey": packed.controller_host.private,
        "controllerHostPublicKey": packed.controller_host.public,
        "engineHostKey": packed.engine_host.private,
        "engineHostPublicKey": packed.engine_host.public,
        "controllerVariables": exports(record.controller.variables),
        "engineVariables": exports(engine_set.variables),
    }
    environment = replace(record.environment, lock="", wheels=[], asked={})
    described = replace(
        record,
        environment=environment,
        preparation=Preparation(),
        controller=replace(record.controller, host_key=packed.controller_host.public),
        engine_sets={SET_ID: replace(engine_set, host_key=packed.engine_host.public)},
    )
    made = [resource for one in templates for resource in one["resources"]]
    return {
        **parameter_file(values),
        "metadata": {
            "loginKey": packed.login.private,
            RESOURCES: [[one["type"], one["name"]] for one in made if "condition" not in one],
            "record": json.loads(described.to_json()),
        },
    }


def parameter_file(values: Mapping[str, str]) -> Json:
    """Return parameters in the form that `az deployment group create` takes."""
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in values.items()},
    }


def require_carried(own_files: str, *, priced: bool) -> None:
    """Raise ConfigurationError for what no job file can carry.

    `own_files` names the user's files that go along; `priced` says whether there is a max_cost.
    """
    if priced:
        raise ConfigurationError(
            "Job files can't hold max_cost: what machines cost depends on where and when they are "
            "deployed. Set max_lifetime_h instead, and c.AzureVMLauncher.max_cost = 0."
        )
    if own_files:
        raise ConfigurationError(
            f"The job files can't carry your own files: {own_files}. Leave them out, "
            "with c.AzureVMLauncher.sync_paths = [], or make a package of them, and give the "
            "address of its wheel in requirements: 'NAME @ https://...'."
        )
