"""What a deployment would change."""

from __future__ import annotations

import time
from typing import Any

from ..template_samples import Deployer, nsg, template, vnet


def what_if(deployer: Deployer, content: Any, **properties: Any) -> dict[str, Any]:
    body = {"mode": "Incremental", "template": content, **properties}
    answer = deployer.call("POST", "main/whatIf", {"properties": body})
    assert (answer.status, answer.body) == (202, None)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = deployer.site.cloud.call("GET", answer.headers["location"])
        if found.status == 200:
            return dict(found.body)
        time.sleep(0.01)
    raise TimeoutError


def kinds_of(result: dict[str, Any]) -> dict[str, str]:
    changes = result["properties"]["changes"]
    return {item["resourceId"].rsplit("/", 1)[1]: item["changeType"] for item in changes}


def test_what_a_deployment_would_change(deployer: Deployer) -> None:
    network = vnet("v", deployer.site.prefix)
    deployer.made(template(network, nsg("other")))
    changed = vnet("v", deployer.site.prefix, tags={"a": "b"})
    result = what_if(deployer, template(changed, nsg("new")))
    assert result["status"] == "Succeeded"
    assert kinds_of(result) == {"v": "Modify", "new": "Create", "other": "Ignore"}
    change = next(i for i in result["properties"]["changes"] if i["changeType"] == "Modify")
    assert change["delta"] == [
        {"path": "tags", "propertyChangeType": "Create", "after": {"a": "b"}}
    ]
    assert "provisioningState" not in change["before"]["properties"]
    assert deployer.site.get("networkSecurityGroups", "new").status == 404
    same = what_if(deployer, template(network), mode="Complete")
    assert kinds_of(same) == {"v": "NoChange", "other": "Delete"}
    settings = {"resultFormat": "ResourceIdOnly"}
    bare = what_if(deployer, template(network), whatIfSettings=settings)
    assert kinds_of(bare) == {"v": "Deploy", "other": "Ignore"}
    assert {frozenset(item) for item in bare["properties"]["changes"]} == {
        frozenset(("resourceId", "changeType"))
    }


def test_a_wrong_template_is_said_by_the_result(deployer: Deployer) -> None:
    result = what_if(deployer, template(nsg("[parameters('none')]")))
    assert (result["status"], result["error"]["code"]) == ("Failed", "InvalidTemplate")
    body = {"mode": "Incremental", "template": template(), "whatIfSettings": {"resultFormat": "x"}}
    refused = deployer.call("POST", "main/whatIf", {"properties": body})
    assert (refused.status, refused.code) == (400, "InvalidRequestContent")
