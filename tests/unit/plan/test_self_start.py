"""Job files that start a cluster by themselves, evaluated as Azure evaluates a deployment."""

import base64
import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from azure_emulator.templates.plan import Plan
from azure_emulator.templates.scope import Surroundings
from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.arm_template import controller_template, engine_set_template
from ipcluster_azure.plan.job_parameters import CUSTOM_DATA_LIMIT, SECRETS, SelfStart
from ipcluster_azure.plan.nested import in_one
from ipcluster_azure.plan.network import ADDRESS_GOES
from ipcluster_azure.plan.requests import requests
from ipcluster_azure.plan.resource_types import ROLE_ASSIGNMENT, SCALE_SET, VIRTUAL_MACHINE, Json
from ipcluster_azure.plan.self_start import StartingSet, starting_controller, starting_engines
from ipcluster_azure.ssh.keys import make_host_key

from ..plans import CLUSTER, ENGINES, SUBNET_ID

ODD = "a 'b' \"c\" $(d) \\ [e]"
PLAN = replace(CLUSTER, identity=True)
PARTS = SelfStart(
    controller_programs="P" * 46_000,
    engine_programs="Q" * 9_000,
    kind="minimal",
    image_python="",
    resource_manager="https://management.azure.com",
    audience="https://management.azure.com",
    max_lifetime_s=43_200,
    idle_timeout_s=3_600,
    controller_cmd=("nice", "ipcontroller"),
    controller_args=("--debug", ODD),
    engine_args=(ODD, "[not an expression]"),
    scale_sets=(ENGINES.scale_set,),
    tags={"ipcluster-azure-profile": "azure", "note": ODD},
)
GIVEN = {name: {"value": f"<{name}> {ODD}"} for name in SECRETS}
STARTING = StartingSet(
    set_id=ENGINES.set_id,
    scale_set=ENGINES.scale_set,
    n=ENGINES.n,
    engines_per_vm=ENGINES.engines_per_vm,
    vcpus=ENGINES.vcpus,
)
TEMPLATES = {
    "controller": starting_controller(controller_template(PLAN), PLAN, PARTS),
    "engines": starting_engines(engine_set_template(PLAN, ENGINES), PLAN, STARTING, PARTS),
}
SUBSCRIPTION = CLUSTER.subscription_id


def _around(group: str = "lab", day: int = 3) -> Surroundings:
    identity = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
    return Surroundings(
        subscription_id=SUBSCRIPTION,
        tenant_id="55555555-6666-7777-8888-999999999999",
        group={"id": identity, "name": group, "location": "eastus", "tags": {}},
        deployment={"name": "main", "properties": {"mode": "Incremental"}},
        now=datetime(2026, 2, day, 4, 5, 6, tzinfo=timezone.utc),
        new_uuid=lambda: "11111111-2222-4333-8444-555555555555",
    )


def _deployed(side: str, around: Surroundings | None = None, **given: Any) -> Plan:
    values = {**GIVEN, **{name: {"value": value} for name, value in given.items()}}
    return Plan(TEMPLATES[side], values, around or _around())


def custom_data_of(side: str, around: Surroundings | None = None, **given: Any) -> str:
    return str(_deployed(side, around, **given).parameters.get("customData"))


def _boot(side: str, **given: Any) -> Json:
    """What the machine's program is told."""
    config = _config(custom_data_of(side, **given))
    encoded = config["runcmd"][1].split("\n")[1]
    content: Json = json.loads(base64.b64decode(encoded))
    return content


def _config(custom_data: str) -> Json:
    first, content = base64.b64decode(custom_data).decode().split("\n", 1)
    assert first == "#cloud-config"
    config: Json = json.loads(content)
    return config


@pytest.mark.parametrize("side", TEMPLATES)
def test_custom_data_fits_and_has_the_host_key_and_the_programs(side: str) -> None:
    data = custom_data_of(side)
    assert len(base64.b64decode(data)) < CUSTOM_DATA_LIMIT
    config = _config(data)
    prefix = {"controller": "controller", "engines": "engine"}[side]
    assert config["ssh_keys"] == {
        "ed25519_private": GIVEN[f"{prefix}HostKey"]["value"],
        "ed25519_public": GIVEN[f"{prefix}HostPublicKey"]["value"],
    }
    assert {"controller": "P" * 46_000, "engines": "Q" * 9_000}[side] in config["runcmd"][0]


def test_the_controller_is_told_all_that_a_launcher_would_say() -> None:
    boot = _boot("controller")
    assert boot["cmd"] == ["nice", "ipcontroller"]
    assert boot["args"] == ["--debug", ODD]
    assert boot["key"] == GIVEN["clusterKey"]["value"]
    assert boot["address"] == "10.42.0.4"
    assert (boot["max_lifetime_s"], boot["idle_timeout_s"]) == (43_200, 3_600)
    names = [url.split("?")[0].rpartition("/")[2] for url in boot["delete"]]
    assert names == [ENGINES.scale_set, CLUSTER.names.controller]  # the one who deletes comes last
    assert all(url.endswith("&forceDeletion=true") for url in boot["delete"])


def test_the_engines_are_told_where_the_controller_is() -> None:
    boot = _boot("engines")
    assert boot["args"] == [ODD, "[not an expression]"]
    assert boot["cmd"] == ["ipengine"]
    assert (boot["n"], boot["most"], boot["cores"]) == (30, 4, 4)
    assert boot["hub"] == {
        "location": "10.42.0.4",
        "guard": 8787,
        "key": GIVEN["clusterKey"]["value"],
    }


def test_what_is_changed_in_a_template_arrives() -> None:
    assert _boot("engines", engineArgs=["--x"])["args"] == ["--x"]
    assert _boot("controller", idleTimeoutSeconds=60)["idle_timeout_s"] == 60


@pytest.mark.parametrize("side", TEMPLATES)
def test_a_later_deployment_has_the_same_custom_data_and_later_tags(side: str) -> None:
    assert custom_data_of(side, _around(day=4)) == custom_data_of(side)
    before, after = (_deployed(side, _around(day=day)).parameters.get("tags") for day in (3, 4))
    assert before["ipcluster-azure-created"] == "2026-02-03T04:05:06+00:00"
    assert before["ipcluster-azure-expires"] == "2026-02-03T16:05:06+00:00"
    assert after["ipcluster-azure-expires"] == "2026-02-04T16:05:06+00:00"
    assert before["note"] == ODD
    assert before["ipcluster-azure-cluster"] == after["ipcluster-azure-cluster"]


def test_each_group_has_a_cluster_of_its_own_and_both_job_files_are_one() -> None:
    name = "ipcluster-azure-cluster"
    here, there = (
        {_deployed(side, _around(group)).parameters.get("tags")[name] for side in TEMPLATES}
        for group in ("lab", "team")
    )
    assert len(here) == len(there) == 1
    assert here != there


def test_without_a_lifetime_it_has_no_end() -> None:
    tags = _deployed("controller", maxLifetimeSeconds=0).parameters.get("tags")
    assert "ipcluster-azure-expires" not in tags


@pytest.mark.parametrize(
    ("side", "kind", "wish"),
    [("controller", VIRTUAL_MACHINE, [True, False]), ("engines", SCALE_SET, [True, False])],
)
def test_who_may_assign_no_roles_leaves_that_out(side: str, kind: str, wish: list[bool]) -> None:
    for may in wish:
        planned = _deployed(side, selfDeletion=may).deployed
        roles = [item for item in planned if item.type.lower() == ROLE_ASSIGNMENT.lower()]
        assert len(roles) == may
        assert bool(_boot(side, selfDeletion=may)["delete"]) == may
    (role,) = [item for item in TEMPLATES[side]["resources"] if item["type"] == ROLE_ASSIGNMENT]
    assert role["scope"].startswith(f"[resourceId('{kind}'")  # its own resource, never the group


@pytest.mark.parametrize("side", TEMPLATES)
def test_what_a_launcher_asks_of_azure_is_the_same_with_it(side: str) -> None:
    values = {"sshPublicKey": "ssh-rsa AAAA", "customData": "I2Nsb3Vk", ADDRESS_GOES: "Detach"}
    plain = {
        "controller": controller_template(PLAN),
        "engines": engine_set_template(PLAN, ENGINES),
    }
    assert requests(TEMPLATES[side], values, PLAN) == requests(plain[side], values, PLAN)


def test_what_can_not_be_carried_is_refused() -> None:
    large = replace(PARTS, controller_programs="P" * 64_000)
    with pytest.raises(ConfigurationError, match="programs and packages take 64000 bytes"):
        starting_controller(controller_template(PLAN), PLAN, large)
    many = replace(PARTS, controller_variables_bytes=10_000)
    with pytest.raises(ConfigurationError, match="fewer environment variables"):
        starting_controller(controller_template(PLAN), PLAN, many)
    office = replace(PLAN, subnet_id=SUBNET_ID)
    with pytest.raises(ConfigurationError, match="Leave subnet_id empty"):
        starting_controller(controller_template(office), office, PARTS)


def test_what_is_not_refused_fits_with_room_to_spare() -> None:
    host, variables = make_host_key(), f"export A='{ODD}'\n" * 40
    parts = replace(PARTS, controller_variables_bytes=len(variables), controller_programs="")
    with pytest.raises(ConfigurationError) as refused:
        starting_controller(
            controller_template(PLAN), PLAN, replace(parts, controller_programs="P" * 70_000)
        )
    (left,) = re.findall(r"given (\d+) are left", str(refused.value))
    largest = replace(parts, controller_programs="P" * int(left))
    template = starting_controller(controller_template(PLAN), PLAN, largest)
    given = {
        "controllerHostKey": {"value": host.private},
        "controllerHostPublicKey": {"value": host.public},
        "clusterKey": {"value": "k" * 64},
        "controllerVariables": {"value": variables},
    }
    deployed = Plan(template, GIVEN | given, _around("g" * 90))  # Azure's longest name of a group
    data = str(deployed.parameters.get("customData"))
    assert len(base64.b64decode(data)) <= CUSTOM_DATA_LIMIT - 500
    assert len(data) <= 87_380 - 600


def test_one_template_deploys_both_with_the_parameters_of_both() -> None:
    both = in_one(TEMPLATES["controller"], TEMPLATES["engines"], "n")
    given = {**GIVEN, "engineArgs": {"value": ["--changed"]}, "selfDeletion": {"value": False}}
    plan = Plan(both, given, _around())
    first, second = plan.deployed
    assert second.after == [first]
    for planned, side in ((first, "controller"), (second, "engines")):
        properties = planned.body(plan.evaluator)["properties"]
        assert properties["expressionEvaluationOptions"] == {"scope": "inner"}
        inner = Plan(properties["template"], properties["parameters"], _around())
        of_its_own = {"engineArgs": ["--changed"]} if side == "engines" else {}
        alone = _deployed(side, selfDeletion=False, **of_its_own)
        for name in ("customData", "tags", "location"):
            assert inner.parameters.get(name) == alone.parameters.get(name)
        assert len(inner.deployed) == len(alone.deployed)
