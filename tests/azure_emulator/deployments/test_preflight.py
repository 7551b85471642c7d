"""What is found out before anything is made: quotas, policies, rights."""

from __future__ import annotations

from azure_emulator.testing import policy, restricted

from ..cloud import Cloud, Keys, scale_set_body
from ..template_samples import Deployer, machine, nsg, public_ip, resource, template


def test_quotas_are_looked_at_beforehand(deployer: Deployer, keys: Keys) -> None:
    body = scale_set_body(keys, "[resourceId('Microsoft.Network/x', 'y')]", 600, "Standard_D8s_v5")
    kind = "Microsoft.Compute/virtualMachineScaleSets"
    scale_set = resource(kind, "s", body["properties"], sku=body["sku"])
    answer = deployer.put(template(nsg("g"), scale_set))
    assert (answer.status, answer.code) == (400, "InvalidTemplateDeployment")
    (detail,) = answer.body["error"]["details"]
    assert detail["code"] == "QuotaExceeded"
    assert "Additional Required: 4800" in detail["message"]
    assert deployer.site.names() == []


def test_machines_of_one_template_count_together(deployer: Deployer, keys: Keys) -> None:
    loop = {"name": "machines", "count": 600}
    many = machine(keys, "[concat('m', copyIndex())]", "'n'", size="Standard_D8s_v5")
    answer = deployer.put(template({**many, "copy": loop, "dependsOn": []}))
    assert answer.code == "InvalidTemplateDeployment"
    assert "Additional Required: 4800" in answer.body["error"]["details"][0]["message"]


def test_policies_are_asked_beforehand(deployer: Deployer, arm: Cloud) -> None:
    untagged = {"field": "tags['costCenter']", "exists": False}
    content = template(nsg("good", tags={"costCenter": "1"}), nsg("bad"))
    with policy(arm.info, "tagged", untagged):
        answer = deployer.put(content)
    assert (answer.status, answer.code) == (400, "InvalidTemplateDeployment")
    assert "because of policy violation" in answer.body["error"]["message"]
    (detail,) = answer.body["error"]["details"]
    assert (detail["code"], detail["target"]) == ("RequestDisallowedByPolicy", "bad")
    assert deployer.site.names() == []


def test_who_may_deploy_must_also_be_let_make_what_is_in_it(deployer: Deployer, arm: Cloud) -> None:
    allowed = ["Microsoft.Resources/*", "Microsoft.Network/publicIPAddresses/*"]
    with restricted(arm.info, allowed):
        answer = deployer.put(template(public_ip("ip"), nsg("g")))
        assert (answer.status, answer.code) == (403, "InvalidTemplateDeployment")
        message = answer.body["error"]["message"]
        assert "Authorization failed for template resource 'g' of type" in message
        assert "perform action 'Microsoft.Network/networkSecurityGroups/write'" in message
        assert "resource 'ip'" not in message
        deployer.made(template(public_ip("ip")))
    with restricted(arm.info, ["Microsoft.Network/*"]):
        assert deployer.put(template(nsg("g"))).code == "AuthorizationFailed"
