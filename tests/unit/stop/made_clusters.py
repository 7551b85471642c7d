"""Clusters made on an emulator without machines, to be deleted, and what is left of them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.naming import CLUSTER_TAG, ClusterNames
from ipcluster_azure.plan.arm_template import (
    controller_template,
    engine_set_template,
)
from ipcluster_azure.plan.cluster_plan import ClusterPlan
from ipcluster_azure.plan.requests import ResourceRequest, requests
from ipcluster_azure.private_files import write_private
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.contents import EngineSet, Machine, Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.start.provision import create_all, create_group

from ..plans import CLUSTER, ENGINES
from ..record.test_record import _record

TEAM = "team"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7cGSFDQ3Y0KVG5cE2LxV0nZc3ZkT6wSCTqXkVOcY9L x"


def endpoint_of(info: EmulatorInfo) -> Endpoint:
    return Endpoint(info.endpoint, info.endpoint, info.ca_file, info.token_file)


def a_progress() -> Progress:
    return Progress(logging.getLogger("test"))


def planned_requests(plan: ClusterPlan) -> list[ResourceRequest]:
    parameters = {"sshPublicKey": KEY, "customData": ""}
    name = f"{plan.names.base}-e0"
    engines = replace(ENGINES, n=2, scale_set=name, location=plan.location)
    controller = requests(controller_template(plan), parameters, plan)
    return [*controller, *requests(engine_set_template(plan, engines), parameters, plan)]


def plan_of(info: EmulatorInfo, group: str = "") -> ClusterPlan:
    names = ClusterNames.for_cluster("azure", "c1")
    return replace(
        CLUSTER,
        subscription_id=info.subscription_id,
        resource_group=group or names.base,
        owns_resource_group=not group,
        names=names,
        tags={CLUSTER_TAG: names.base},
    )


async def make_cluster(
    api: AzureApi, info: EmulatorInfo, folder: Path, group: str = "", **changes: Any
) -> RecordFile:
    """A cluster's record and, at Azure, all that it names."""
    plan = plan_of(info, group)
    planned = planned_requests(plan)
    engines = EngineSet(
        planned[-1].id,
        2,
        4,
        4,
        "key",
        machines=[Machine("m", "10.0.0.4", 2)],
        args=["--password=x"],
        variables={"PASSWORD": "x"},
    )
    secret = folder / "client.json"
    record = replace(
        _record(),
        endpoint=endpoint_of(info),
        plan=plan,
        resources=[item.id for item in planned],
        engine_sets={"s": engines},
        secret_files=[str(secret)],
        **changes,
    )
    file = RecordFile.of(str(folder / "profile_azure"), "c1")
    file.create(record)
    for path in (file.key_file, file.public_key_file, file.client_file, secret):
        write_private(path, "secret")
    for path in (file.key_file, secret):
        (path.parent / f".{path.name}.abcdefgh").write_text("half a secret")
    if group:
        api.put_group(group, plan.location, {})
    await create_group(api, file, plan)
    await create_all(api, file, planned[:-1], lambda: None, a_progress())
    api.put(planned[-1])
    return file


async def groups_at_last(info: EmulatorInfo, expected: list[str]) -> list[str]:
    for _ in range(100):
        if (groups := client.status(info.state_dir)["resource_groups"]) == expected:
            break
        await asyncio.sleep(0.05)
    return groups


async def until_true(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


def assert_without_secrets(record: Record) -> None:
    """Of what users may have put passwords into nothing is left in the record."""
    assert record.environment.requirements == []
    for processes in (record.controller, *record.engine_sets.values()):
        assert (processes.args, processes.variables) == ([], {})


def files_left(file: RecordFile) -> set[str]:
    return names_in(file.path.parent) - {".azure.lock"}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
