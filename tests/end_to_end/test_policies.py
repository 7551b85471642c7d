"""Denials name the policy and the setting that answers it."""

from typing import Any

import pytest

from azure_emulator import testing
from ipcluster_azure.errors import AccessDenied, RequestRefused

from .bare_stage import Stage, cloud, stage

__all__ = ["cloud", "stage"]  # fixtures

NETWORK, COMPUTE = "Microsoft.Network", "Microsoft.Compute"


def _type(name: str) -> dict[str, Any]:
    return {"field": "type", "equals": name}


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        (_type(f"{NETWORK}/publicIPAddresses"), "c.AzureVMLauncher.public_ip = False"),
        (
            {
                "allOf": [
                    _type(f"{NETWORK}/networkInterfaces"),
                    {
                        "field": f"{NETWORK}/networkInterfaces/ipconfigurations[*]"
                        ".publicIpAddress.id",
                        "exists": True,
                    },
                ]
            },
            "c.AzureVMLauncher.public_ip = False",
        ),
        (
            {"field": "tags['costCenter']", "exists": False},
            "c.AzureVMLauncher.tags = {'costCenter': '...'}",
        ),
        (
            {"field": "tags.env", "notIn": ["dev", "prod"]},
            "c.AzureVMLauncher.tags = {'env': 'dev'} (or 'prod')",
        ),
        (
            {"field": "location", "notIn": ["westeurope", "northeurope"]},
            "c.AzureVMLauncher.location: westeurope or northeurope",
        ),
        (
            {"field": "location", "equals": "eastus"},
            "c.AzureVMLauncher.location: another than eastus",
        ),
        (
            _type("Microsoft.Resources/subscriptions/resourceGroups"),
            "c.AzureVMLauncher.resource_group",
        ),
        (
            {
                "allOf": [
                    _type("Microsoft.Resources/subscriptions/resourceGroups"),
                    {"field": "name", "notLike": "rg-*"},
                ]
            },
            "c.AzureVMLauncher.resource_group: an existing group with a name that the policy "
            "allows: rg-*",
        ),
        (
            {
                "allOf": [
                    _type(f"{COMPUTE}/virtualMachines"),
                    {
                        "field": f"{COMPUTE}/virtualMachines/sku.name",
                        "notIn": ["Standard_B2ms", "Standard_D2s_v5"],
                    },
                ]
            },
            "c.AzureVMLauncher.vm_size: Standard_B2ms or Standard_D2s_v5",
        ),
        (
            {"field": f"{COMPUTE}/virtualMachines/imagePublisher", "notEquals": "RedHat"},
            "c.AzureVMLauncher.image: RedHat",
        ),
        (_type(f"{NETWORK}/virtualNetworks"), "c.AzureVMLauncher.subnet_id"),
        (
            {
                "field": f"{NETWORK}/virtualNetworks/subnets[*].networkSecurityGroup.id",
                "exists": False,
            },
            "c.AzureVMLauncher.subnet_id",
        ),
        (
            {"field": f"{COMPUTE}/virtualMachines/osDisk.diskSizeGB", "exists": False},
            "c.AzureVMLauncher.os_disk_gb",
        ),
    ],
)
def test_a_denial_names_the_setting_that_answers_it(
    stage: Stage, condition: dict[str, Any], answer: str
) -> None:
    with (
        testing.policy(stage.cloud.info, "p1", condition, display_name="House rules"),
        pytest.raises(AccessDenied) as caught,
    ):
        stage.start()
    message = str(caught.value)
    assert "was disallowed by policy 'House rules' (RequestDisallowedByPolicy)" in message
    assert f"Set {answer}" in message
    assert message.endswith("Else ask for an exemption.")
    assert "\n" not in message


def test_a_denial_that_no_setting_answers(stage: Stage) -> None:
    condition = {"field": f"{NETWORK}/networkInterfaces/enableIPForwarding", "exists": False}
    conditions = {"allOf": [_type(f"{NETWORK}/networkInterfaces"), condition]}
    with (
        testing.policy(stage.cloud.info, "forward", conditions),
        pytest.raises(AccessDenied) as caught,
    ):
        stage.start()
    message = str(caught.value)
    assert "was disallowed by policy 'forward'" in message
    assert "policyAssignments/forward` shows it" in message
    assert "public_ip, subnet_id, tags, resource_group" in message


@pytest.mark.parametrize(
    ("code", "message", "step"),
    [
        (
            "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.Compute'. See "
            "https://aka.ms/rps-not-found for how to register subscriptions.",
            "`az provider register --namespace Microsoft.Compute --wait`",
        ),
        (
            "VMMarketplaceInvalidInput",
            "Creating a virtual machine from Marketplace image requires Plan information.",
            "the right to read the image (Microsoft.Compute/locations/publishers",
        ),
        (
            "ResourcePurchaseValidationFailed",
            "User failed validation to purchase resources. Error message: 'You have not accepted "
            "the legal terms on this subscription: 's' for this plan. Offer details: "
            "publisher='bitnami' offer = 'rabbitmq', sku = 'rabbitmq', Correlation Id: 'x'.'",
            "`az vm image terms accept --publisher bitnami --offer rabbitmq --plan rabbitmq`",
        ),
        (
            "MarketplacePurchaseEligibilityFailed",
            "Marketplace purchase eligibilty check returned errors. See inner errors for details.",
            "`az vm image terms accept --urn IMAGE`",
        ),
        (
            "OperationNotAllowed",
            "The specified disk size 8 GB is smaller than the size of the corresponding disk in "
            "the VM image: 30 GB.",
            "Set c.AzureVMLauncher.os_disk_gb",
        ),
        (
            "BadRequest",
            "The selected VM size 'Standard_D4s_v6' cannot boot Hypervisor Generation '1'.",
            "Set c.AzureVMLauncher.vm_size or c.AzureVMLauncher.image",
        ),
        (
            "GalleryImageNotFound",
            "The gallery image is not available in eastus region.",
            "Check c.AzureVMLauncher.image",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["refuse", "fail"])
def test_a_refusal_without_a_next_step_gets_one(
    stage: Stage, kind: str, code: str, message: str, step: str
) -> None:
    """Whether Azure refuses the request, or fails at what it has begun."""
    status = {"status": 400} if kind == "refuse" else {}
    fault = testing.fault(
        kind,
        operation="Microsoft.Compute/virtualMachines/write",
        method="PUT",
        code=code,
        message=message,
        times=None,
        **status,
    )
    with testing.faults(stage.cloud.info, fault), pytest.raises(RequestRefused) as caught:
        stage.start_and_see_made()
    assert step in str(caught.value)
    assert f"({code})" in str(caught.value)
