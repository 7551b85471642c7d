"""What the requests on a deployment answer: accepted, shown, listed, deleted."""

from __future__ import annotations

import re

from ..cloud import LOCATION
from ..template_samples import Deployer, nic, nsg, public_ip, template, vnet

NETWORK = "Microsoft.Network"


def test_a_deployment_is_accepted_and_then_succeeds(deployer: Deployer) -> None:
    content = template(
        nsg("[parameters('name')]"),
        parameters={
            "name": {"type": "string"},
            "secret": {"type": "SecureString", "defaultValue": "hidden"},
            "count": {"type": "int", "defaultValue": 3},
        },
        outputs={"count": {"type": "int", "value": "[parameters('count')]"}},
    )
    answer = deployer.put(content, {"name": "rules"})
    assert answer.status == 201
    assert "retry-after" not in answer.headers
    assert re.search(
        r"/deployments/main/operationStatuses/\d{20}\?api-version=2021-04-01$",
        answer.headers["azure-asyncoperation"],
    )
    accepted = answer.body
    assert accepted["id"] == f"{deployer.site.id}/providers/Microsoft.Resources/deployments/main"
    assert (accepted["name"], accepted["type"]) == ("main", "Microsoft.Resources/deployments")
    properties = accepted["properties"]
    assert list(properties) == [
        *("templateHash", "parameters", "mode", "provisioningState", "timestamp", "duration"),
        *("correlationId", "providers", "dependencies"),
    ]
    assert properties["provisioningState"] == "Accepted"
    assert properties["parameters"] == {
        "name": {"type": "String", "value": "rules"},
        "secret": {"type": "SecureString"},
        "count": {"type": "Int", "value": 3},
    }
    kinds = [{"resourceType": "networkSecurityGroups", "locations": [LOCATION]}]
    assert properties["providers"] == [{"namespace": NETWORK, "resourceTypes": kinds}]
    ended = deployer.ended(answer)
    assert ended["outputs"] == {"count": {"type": "Int", "value": 3}}
    made = f"{deployer.site.id}/providers/{NETWORK}/networkSecurityGroups/rules"
    assert ended["outputResources"] == [{"id": made}]
    assert deployer.site.get("networkSecurityGroups", "rules").status == 200


def test_dependencies_are_shown(deployer: Deployer) -> None:
    prefix = deployer.site.prefix
    found = deployer.made(template(nic("n", "v", dependsOn=["v"]), vnet("v", prefix)))
    base = f"{deployer.site.id}/providers/{NETWORK}"
    assert found["dependencies"] == [
        {
            "dependsOn": [
                {
                    "id": f"{base}/virtualNetworks/v",
                    "resourceType": f"{NETWORK}/virtualNetworks",
                    "resourceName": "v",
                }
            ],
            "id": f"{base}/networkInterfaces/n",
            "resourceType": f"{NETWORK}/networkInterfaces",
            "resourceName": "n",
        }
    ]


def test_the_operations_of_a_deployment(deployer: Deployer) -> None:
    deployer.made(template(public_ip("ip"), vnet("v", deployer.site.prefix)))
    operations = deployer.call("GET", "main/operations").body["value"]
    kinds = [item["properties"]["provisioningOperation"] for item in operations]
    assert sorted(kinds) == ["Create", "Create", "EvaluateDeploymentOutput"]
    created = [item for item in operations if "targetResource" in item["properties"]]
    assert {item["properties"]["targetResource"]["resourceName"] for item in created} == {"ip", "v"}
    for item in operations:
        assert item["properties"]["provisioningState"] == "Succeeded"
        assert item["properties"]["statusCode"] == "OK"
        assert deployer.call("GET", f"main/operations/{item['operationId']}").body == item
    # older SDKs leave the provider out of the path
    site = deployer.site
    old = site.cloud.call("GET", f"{site.path}/deployments/main/operations")
    assert old.body["value"] == operations
    assert deployer.call("GET", "main/operations/NOPE").code == "DeploymentOperationNotFound"


def test_again_with_the_same_name_answers_200_and_changes_nothing(deployer: Deployer) -> None:
    content = template(vnet("v", deployer.site.prefix), nsg("g"))
    first = deployer.made(content)
    again = deployer.put(content)
    assert again.status == 200
    assert deployer.ended(again)["outputResources"] == first["outputResources"]
    assert deployer.site.names() == ["g", "v"]


def test_head_list_and_delete(deployer: Deployer) -> None:
    for name in ("one", "two"):
        deployer.made(template(nsg(name)), name=name)
    assert deployer.call("HEAD", "one").status == 204
    assert deployer.call("HEAD", "none").status == 404
    listed = deployer.call("GET").body["value"]
    assert [item["name"] for item in listed] == ["two", "one"]
    site = deployer.site
    wanted = f"{deployer.path}?$filter=provisioningState%20eq%20'Failed'"
    assert site.cloud.call("GET", wanted).body["value"] == []
    assert deployer.call("DELETE", "none").status == 204
    answer = deployer.call("DELETE", "one")
    assert (answer.status, answer.body) == (202, None)
    assert site.cloud.call("GET", answer.headers["location"]).status == 204
    missing = deployer.call("GET", "one")
    assert (missing.status, missing.code) == (404, "DeploymentNotFound")
    assert site.names() == ["one", "two"]  # what it made stays


def test_the_template_can_be_had_back(deployer: Deployer) -> None:
    content = template(nsg("[concat('g', '1')]"))
    deployer.made(content)
    assert deployer.call("POST", "main/exportTemplate").body == {"template": content}


def test_validate_makes_nothing(deployer: Deployer) -> None:
    body = {"properties": {"mode": "Incremental", "template": template(nsg("g"))}}
    answer = deployer.call("POST", "main/validate", body)
    assert answer.status == 200
    properties = answer.body["properties"]
    assert properties["provisioningState"] == "Succeeded"
    made = f"{deployer.site.id}/providers/{NETWORK}/networkSecurityGroups/g"
    assert properties["validatedResources"] == [{"id": made}]
    body["properties"]["template"] = template(nsg("[nonsense()]"))
    assert deployer.call("POST", "main/validate", body).code == "InvalidTemplate"
    assert deployer.site.names() == []
    assert deployer.call("GET", "main").code == "DeploymentNotFound"


def test_the_head_of_a_deployment(deployer: Deployer) -> None:
    missing = deployer.call("HEAD", "main")
    assert missing.status == 404
    assert missing.headers["content-type"].startswith("application/json")
    assert missing.headers["x-ms-failure-cause"] == "gateway"
    deployer.made(template())
    assert deployer.call("HEAD", "main").status == 204


def test_the_oldest_versions_show_no_type_and_no_hash(deployer: Deployer) -> None:
    deployer.made(template())
    path = f"{deployer.path}/main"
    old = deployer.site.cloud.call("GET", path, version="2016-09-01").body
    assert "type" not in old
    assert "templateHash" not in old["properties"]
