"""What fails while a deployment is carried out."""

from __future__ import annotations

from azure_emulator.testing import fault, faults

from ..cloud import Cloud
from ..template_samples import Deployer, nsg, public_ip, template


def test_the_providers_refusal_is_in_the_details_and_others_go_on(deployer: Deployer) -> None:
    content = template(
        public_ip("bad", properties={"publicIPAllocationMethod": "Dynamic"}),
        nsg("after", dependsOn=["bad"]),
        nsg("beside"),
    )
    error = deployer.failed(content)
    assert error["code"] == "DeploymentFailed"
    assert error["message"].startswith("At least one resource deployment operation failed.")
    (detail,) = error["details"]
    assert "must have AllocationMethod set to Static" in detail["message"]
    assert deployer.site.names() == ["beside"]
    operations = deployer.call("GET", "main/operations").body["value"]
    (failed,) = (o for o in operations if o["properties"]["provisioningState"] == "Failed")
    assert failed["properties"]["statusCode"] == "BadRequest"
    assert failed["properties"]["statusMessage"]["status"] == "Failed"
    assert failed["properties"]["statusMessage"]["error"]["code"] == detail["code"]
    assert not any("after" in str(o["properties"].get("targetResource")) for o in operations)


def test_an_expression_that_only_fails_at_work(deployer: Deployer) -> None:
    content = template(public_ip("ip"), nsg("g", tags={"a": "[reference('ip').nothing]"}))
    (detail,) = deployer.failed(content)["details"]
    assert detail["code"] == "InvalidTemplate"
    assert "Unable to process template language expressions for resource" in detail["message"]
    assert "property 'nothing' doesn't exist" in detail["message"]


def test_an_output_that_fails(deployer: Deployer) -> None:
    outputs = {"o": {"type": "string", "value": "[reference('g').nothing]"}}
    error = deployer.failed(template(nsg("g"), outputs=outputs))
    assert error["code"] == "DeploymentOutputEvaluationFailed"
    assert error["details"][0]["target"] == "o"


def test_what_a_fault_does_to_one_operation(deployer: Deployer, arm: Cloud) -> None:
    what = fault(
        "fail",
        operation="Microsoft.Network/networkSecurityGroups/write",
        code="InternalServerError",
    )
    with faults(arm.info, what):
        (detail,) = deployer.failed(template(nsg("g")))["details"]
    assert detail["code"] == "InternalServerError"
