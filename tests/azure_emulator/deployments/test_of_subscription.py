"""Deployments of the subscription: they make groups, and deploy into these."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..cloud import LOCATION, Answer, Cloud
from ..template_samples import nsg, template

SCHEMA = (
    "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"
)
DEPLOYMENTS = "/providers/Microsoft.Resources/deployments"
VERSION = "2021-04-01"
GROUP = {
    "type": "Microsoft.Resources/resourceGroups",
    "apiVersion": "2021-04-01",
    "name": "of-subscription",
    "location": LOCATION,
    "tags": {"a": "b"},
}
INNER = {
    "type": "Microsoft.Resources/deployments",
    "apiVersion": "2021-04-01",
    "name": "inner",
    "resourceGroup": GROUP["name"],
    "dependsOn": [
        "[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'of-subscription')]"
    ],
    "properties": {
        "mode": "Incremental",
        "expressionEvaluationOptions": {"scope": "inner"},
        "template": template(nsg("within", location="[resourceGroup().location]")),
    },
}


@pytest.fixture
def cloud(arm: Cloud) -> Iterator[Cloud]:
    yield arm
    arm.wait_for_group("of-subscription")


def send(cloud: Cloud, action: str = "", method: str = "PUT", **body: Any) -> Answer:
    content = {**template(GROUP, INNER), "$schema": SCHEMA}
    content["outputs"] = {
        "id": {"type": "string", "value": "[subscription().subscriptionId]"},
        "where": {
            "type": "string",
            "value": "[reference('inner', '2021-04-01', 'full').resourceGroupName]",
        },
    }
    properties = {"mode": "Incremental", "template": content}
    sent = {"location": LOCATION, "properties": properties, **body}
    return cloud.call(method, f"{DEPLOYMENTS}/main{action}", sent, version=VERSION)


def ended(cloud: Cloud, answer: Answer) -> dict[str, Any]:
    assert answer.status in (200, 201), answer
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status = cloud.call("GET", answer.headers["azure-asyncoperation"]).body["status"]
        if status not in ("Accepted", "Running"):
            return dict(cloud.call("GET", f"{DEPLOYMENTS}/main", version=VERSION).body)
        time.sleep(0.01)
    raise AssertionError("the deployment does not end")


def test_a_group_and_what_is_in_it(cloud: Cloud) -> None:
    found = ended(cloud, send(cloud))
    assert found["properties"]["provisioningState"] == "Succeeded", found
    assert (found["id"], found["location"]) == (f"{cloud.subscription}{DEPLOYMENTS}/main", LOCATION)
    outputs = {name: item["value"] for name, item in found["properties"]["outputs"].items()}
    assert outputs == {"id": cloud.info.subscription_id, "where": "of-subscription"}
    group = cloud.call("GET", "/resourceGroups/of-subscription").body
    assert group["tags"] == {"a": "b"}
    within = cloud.call("GET", "/resourceGroups/of-subscription/resources").body["value"]
    assert [item["name"] for item in within] == ["within"]
    listed = cloud.call("GET", DEPLOYMENTS, version=VERSION).body["value"]
    assert [item["name"] for item in listed] == ["main"]
    steps = cloud.call("GET", f"{DEPLOYMENTS}/main/operations", version=VERSION).body["value"]
    made = {item["properties"].get("targetResource", {}).get("resourceName") for item in steps} - {
        None
    }
    assert made == {"of-subscription", "inner"}
    # the group is there already
    answer = send(cloud, "/whatIf", "POST")
    result = cloud.call("GET", answer.headers["location"])
    kinds = {
        item["resourceId"].rsplit("/", 1)[1]: item for item in result.body["properties"]["changes"]
    }
    assert kinds["of-subscription"]["changeType"] == "NoChange"
    deleted = cloud.call("DELETE", f"{DEPLOYMENTS}/main", version=VERSION)
    assert deleted.status == 202
    assert cloud.call("GET", deleted.headers["location"]).status == 204
    assert cloud.call("GET", f"{DEPLOYMENTS}/main", version=VERSION).code == "DeploymentNotFound"


def test_validation_makes_nothing(arm: Cloud) -> None:
    answer = send(arm, "/validate", "POST")
    assert answer.status == 200
    assert arm.call("GET", "/resourceGroups/of-subscription").status == 404


def test_refusals(arm: Cloud) -> None:
    assert send(arm, location=None).code == "LocationRequired"
    assert send(arm, location="nowhere").status == 400
    complete = {"mode": "Complete", "template": template(GROUP)}
    assert send(arm, properties=complete).code == "InvalidDeployment"
    of_group = {
        "mode": "Incremental",
        "template": template(nsg("x", location="[resourceGroup().location]")),
    }
    refused = send(arm, properties=of_group)
    assert refused.code == "InvalidTemplate"
    assert "RESOURCEGROUP" in refused.body["error"]["message"]


def test_a_groups_deployment_has_no_location(arm: Cloud, site: Any) -> None:
    body = {"location": LOCATION, "properties": {"mode": "Incremental", "template": template()}}
    answer = arm.call("PUT", f"{site.path}{DEPLOYMENTS}/main", body, version=VERSION)
    assert (answer.status, answer.code) == (400, "InvalidDeployment")
