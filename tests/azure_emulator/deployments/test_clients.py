"""Deployments by the real SDK, and the launchers' own job files."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from ipcluster_azure.plan import arm_template as job_files

from ...unit.plans import CLUSTER, ENGINES, MACHINE
from ..cloud import Cloud, Keys, encoded
from ..template_samples import Deployer, public_ip, template

TAGS = {"costCenter": "7", "note": "[concat('a', 'b')]"}


def test_the_sdk_deploys(deployer: Deployer, arm: Cloud) -> None:
    client = arm.deployments
    content = template(
        public_ip("ip"),
        outputs={"address": {"type": "string", "value": "[reference('ip').ipAddress]"}},
    )
    group = deployer.site.group
    body = {"properties": {"mode": "Incremental", "template": content}}
    made = client.deployments.begin_create_or_update(group, "main", body).result()
    assert made.properties.provisioning_state == "Succeeded"
    assert re.fullmatch(r"[\d.]+", made.properties.outputs["address"]["value"])
    assert client.deployments.check_existence(group, "main")
    assert len(list(client.deployment_operations.list(group, "main"))) == 2
    valid = client.deployments.begin_validate(group, "main", body).result()
    assert valid.properties.validated_resources
    client.deployments.begin_delete(group, "main").wait(10)
    with pytest.raises(ResourceNotFoundError):
        client.deployments.get(group, "main")


def test_the_sdk_sees_failures(deployer: Deployer, arm: Cloud) -> None:
    begin = arm.deployments.deployments.begin_create_or_update
    bad = {"publicIPAllocationMethod": "Dynamic"}
    for content, code in (
        (public_ip("ip", location="nowhere"), "InvalidTemplateDeployment"),
        (public_ip("ip", properties=bad), "DeploymentFailed"),
    ):
        body = {"properties": {"mode": "Incremental", "template": template(content)}}
        with pytest.raises(HttpResponseError) as caught:
            begin(deployer.site.group, "main", body).result()
        assert caught.value.error.code == code
        assert caught.value.error.details


def test_our_job_files_deploy(deployer: Deployer, keys: Keys) -> None:
    """As `az deployment group create` would send what the launchers write."""
    parameters = {"sshPublicKey": keys.login_public, "customData": encoded("#cloud-config\n")}
    cluster = replace(CLUSTER, tags={**CLUSTER.tags, **TAGS})
    controller = job_files.controller_template(cluster)
    found = deployer.made(controller, parameters, name="controller")
    shown = found["parameters"]
    assert [name for name in shown if "value" not in shown[name]] == ["sshPublicKey", "customData"]
    names = CLUSTER.names
    vm = deployer.site.get("virtualMachines", names.controller).body
    assert vm["properties"]["provisioningState"] == "Succeeded"
    deployer.made(job_files.engine_set_template(cluster, ENGINES), parameters, name="engines")
    machines = deployer.site.get("virtualMachines").body["value"]
    assert len(machines) == ENGINES.vm_count + 1
    assert {machine["properties"]["hardwareProfile"]["vmSize"] for machine in machines} == {
        MACHINE.vm_size
    }
    # with the user's own tags, also in brackets, and without those of a cluster
    for machine in machines:
        assert machine["tags"] == {**TAGS, "ipcluster-azure-job-file": names.base}


def test_who_deploys_our_job_files_may_give_tags(deployer: Deployer, keys: Keys) -> None:
    tags = {"team": "ours"}
    parameters = {
        "sshPublicKey": keys.login_public,
        "customData": encoded("#cloud-config\n"),
        "tags": tags,
    }
    deployer.made(job_files.controller_template(CLUSTER), parameters, name="controller")
    assert deployer.site.get("virtualMachines", CLUSTER.names.controller).body["tags"] == tags
