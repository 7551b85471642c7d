"""Template functions that ask resources: references() of a loop, list...() by POST."""

from __future__ import annotations

from ..template_samples import Deployer, nsg, public_ip, resource, template

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


def identity(name: str) -> dict[str, object]:
    return {**resource(IDENTITY, name), "apiVersion": "2023-01-31"}


def test_references_gives_all_of_a_loop(deployer: Deployer) -> None:
    loop = {"name": "ips", "count": 2}
    content = template(outputs={})
    content["languageVersion"] = "2.0"
    content["resources"] = {"ips": public_ip("[concat('ip', copyIndex())]", copy=loop)}
    content["outputs"] = {
        "addresses": {
            "type": "array",
            "value": "[map(references('ips'), lambda('ip', lambdaVariables('ip').ipAddress))]",
        },
        "locations": {
            "type": "array",
            "value": "[map(references('ips', 'full'), lambda('i', lambdaVariables('i').location))]",
        },
    }
    found = deployer.outputs(content)
    shown = [deployer.site.get("publicIPAddresses", name).body for name in ("ip0", "ip1")]
    assert found["addresses"] == [item["properties"]["ipAddress"] for item in shown]
    assert found["locations"] == [item["location"] for item in shown]


def test_references_of_no_loop_is_refused(deployer: Deployer) -> None:
    output = {"all": {"type": "array", "value": "[references('one')]"}}
    answer = deployer.put(template(nsg("one"), outputs=output))
    assert (answer.status, answer.code) == (400, "InvalidTemplate")


def test_a_list_function_asks_by_post(deployer: Deployer) -> None:
    call = f"[listAssociatedResources(resourceId('{IDENTITY}', 'mine'), '2021-09-30-preview')]"
    output = {"users": {"type": "object", "value": call}}
    found = deployer.outputs(template(identity("mine"), outputs=output))
    assert found["users"] == {"totalCount": 0, "value": []}


def test_a_list_function_that_the_resource_does_not_have(deployer: Deployer) -> None:
    output = {"keys": {"type": "object", "value": "[listKeys('one', '2023-04-01')]"}}
    error = deployer.failed(template(nsg("one"), outputs=output))
    assert error["code"] == "InvalidResourceType"
    assert "'networkSecurityGroups/listKeys'" in error["message"]


def test_a_version_may_come_from_the_provider(deployer: Deployer) -> None:
    """As az's own template of a scale set has it."""
    version = "providers('Microsoft.Network', 'networkSecurityGroups').apiVersions[0]"
    target = "resourceId('Microsoft.Network/networkSecurityGroups', 'one')"
    output = {"state": {"type": "object", "value": f"[reference({target}, {version})]"}}
    found = deployer.outputs(template(nsg("one"), outputs=output))
    assert found["state"]["provisioningState"] == "Succeeded"
