"""Deployments of ARM templates: answers, order, failures, modes, cancelling."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_emulator.testing import fault, faults, policy, restricted
from ipcluster_azure.plan import arm_template as job_files

from ...unit.plans import CLUSTER, ENGINES, MACHINE
from ..cloud import IMAGE, LOCATION, Cloud, Keys, Site, encoded, os_profile, scale_set_body
from ..conftest import running
from ..template_samples import Deployer, nic, nsg, public_ip, resource, template, vnet

NETWORK = "Microsoft.Network"


@pytest.fixture
def deployer(site: Site) -> Deployer:
    return Deployer(site)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Where things take a fifth of their time on Azure."""
    directory = tmp_path_factory.mktemp("slow")
    yield from running(directory, machines="none", seed=3, time_scale=0.2)


# What a deployment answers


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


# Order


def test_loops_conditions_and_references(deployer: Deployer) -> None:
    content = template(
        vnet("net", deployer.site.prefix),
        nic(
            "[concat('n', copyIndex(1))]",
            "net",
            copy={"name": "nics", "count": "[parameters('count')]"},
            dependsOn=["[resourceId('Microsoft.Network/virtualNetworks/', 'net')]"],
        ),
        public_ip("ip", condition="[not(parameters('private'))]"),
        nsg("after", dependsOn=["nics", "ip"]),
        parameters={
            "count": {"type": "int"},
            "private": {"type": "bool", "defaultValue": True},
        },
        outputs={
            "addresses": {
                "type": "array",
                "copy": {
                    "count": "[parameters('count')]",
                    "input": "[reference(concat('n', copyIndex(1))).ipConfigurations[0]"
                    ".properties.privateIPAddress]",
                },
            },
            "public": {
                "type": "string",
                "condition": "[not(parameters('private'))]",
                "value": "[reference('ip').ipAddress]",
            },
            "place": {
                "type": "string",
                "value": "[reference('net', '2023-04-01', 'Full').location]",
            },
        },
    )
    found = deployer.outputs(content, {"count": 3})
    first = deployer.site.prefix.replace(".0.0/20", ".0.")
    assert sorted(found.pop("addresses")) == [f"{first}{n}" for n in (4, 5, 6)]
    assert found == {"place": LOCATION}
    assert deployer.site.names() == ["after", "n1", "n2", "n3", "net"]
    found = deployer.outputs(content, {"count": 1, "private": False})
    assert re.fullmatch(r"[\d.]+", found["public"])


def test_a_reference_by_name_is_a_dependency(deployer: Deployer) -> None:
    content = template(
        nsg("g", tags={"address": "[reference('ip').ipAddress]"}),
        public_ip("ip"),
    )
    found = deployer.made(content)
    assert found["dependencies"][0]["dependsOn"][0]["resourceName"] == "ip"
    address = deployer.site.get("publicIPAddresses", "ip").body["properties"]["ipAddress"]
    assert deployer.site.get("networkSecurityGroups", "g").body["tags"] == {"address": address}


def test_children_nested_and_by_long_name(deployer: Deployer) -> None:
    prefix = deployer.site.prefix
    base = prefix.rsplit(".", 2)[0]
    subnets = f"{NETWORK}/virtualNetworks/subnets"
    nested = resource(
        "subnets", "a", {"addressPrefix": f"{base}.1.0/24"}, location=None, dependsOn=["v"]
    )
    network = resource(
        f"{NETWORK}/virtualNetworks",
        "v",
        {"addressSpace": {"addressPrefixes": [prefix]}},
        resources=[nested],
    )
    other = resource(
        subnets,
        "[concat('v', '/b')]",
        {"addressPrefix": f"{base}.2.0/24"},
        location=None,
        dependsOn=["v", f"[resourceId('{subnets}', 'v', 'a')]"],
    )
    found = deployer.made(template(other, network))
    listed = deployer.site.cloud.call(
        "GET", deployer.site.provider("virtualNetworks", "v", "subnets")
    )
    assert [item["name"] for item in listed.body["value"]] == ["a", "b"]
    kinds = found["providers"][0]["resourceTypes"]
    assert {"resourceType": "virtualNetworks/subnets", "locations": [None]} in kinds


def test_what_depends_waits_for_the_end_and_a_serial_loop_goes_batch_by_batch(
    slow: Cloud,
) -> None:
    deployer = Deployer(Site(slow, "serial", "10.249.0.0/20"))
    loop = {"name": "all", "count": 4, "mode": "serial", "batchSize": 2}
    deployer.made(
        template(
            nsg("[format('g{0}', copyIndex())]", copy=loop, dependsOn=["first"]),
            nsg("first"),
        )
    )
    times = {}
    for item in deployer.call("GET", "main/operations").body["value"]:
        step = item["properties"]
        if "targetResource" in step:
            end = datetime.fromisoformat(step["timestamp"][:26])
            took = timedelta(seconds=float(step["duration"].strip("PTS")))
            times[step["targetResource"]["resourceName"]] = (end - took, end)
    assert all(end - begin > timedelta(seconds=0.15) for begin, end in times.values())
    for batch, before in (("g0 g1", "first"), ("g2 g3", "g0 g1")):
        begin = min(times[name][0] for name in batch.split())
        assert begin >= max(times[name][1] for name in before.split()) - timedelta(seconds=0.01)
    assert times["g0"][0] < times["g1"][1]  # both of a batch at once
    assert times["g1"][0] < times["g0"][1]


def test_properties_with_loops(deployer: Deployer) -> None:
    rules = {
        "name": "securityRules",
        "count": "[length(variables('ports'))]",
        "input": {
            "name": "[concat('rule', copyIndex('securityRules'))]",
            "properties": {
                "protocol": "Tcp",
                "access": "Allow",
                "direction": "Inbound",
                "priority": "[copyIndex('securityRules', 100)]",
                "sourceAddressPrefix": "*",
                "sourcePortRange": "*",
                "destinationAddressPrefix": "*",
                "destinationPortRange": "[string(variables('ports')[copyIndex('securityRules')])]",
            },
        },
    }
    group = resource(f"{NETWORK}/networkSecurityGroups", "g", {"copy": [rules]})
    deployer.made(template(group, variables={"ports": [22, 80, 443]}))
    body = deployer.site.get("networkSecurityGroups", "g").body
    shown = [
        (rule["name"], rule["properties"]["destinationPortRange"], rule["properties"]["priority"])
        for rule in body["properties"]["securityRules"]
    ]
    assert shown == [("rule0", "22", 100), ("rule1", "80", 101), ("rule2", "443", 102)]


def test_symbolic_names(deployer: Deployer) -> None:
    content = template(languageVersion="2.0")
    content["resources"] = {
        "first": nsg("g1"),
        "second": nsg("g2", dependsOn=["first"], tags={"of": "[reference('first').resourceGuid]"}),
    }
    deployer.made(content)
    first = deployer.site.get("networkSecurityGroups", "g1").body
    second = deployer.site.get("networkSecurityGroups", "g2").body
    assert second["tags"] == {"of": first["properties"]["resourceGuid"]}


def test_nested_deployments_see_their_own_names_or_those_outside(deployer: Deployer) -> None:
    def nested(name: str, scope: str) -> dict[str, Any]:
        inner = template(
            nsg("[parameters('name')]"),
            parameters={"name": {"type": "string"}},
            outputs={"made": {"type": "string", "value": "[parameters('name')]"}},
        )
        properties = {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": scope},
            "parameters": {"name": {"value": f"inside-{scope}"}},
            "template": inner,
        }
        if scope == "outer":  # by now there is nothing left that the parameters could fill
            del properties["parameters"], inner["parameters"]
        kind = "Microsoft.Resources/deployments"
        return resource(kind, name, properties, location=None)

    content = template(
        nested("one", "inner"),
        nested("two", "outer"),
        parameters={"name": {"type": "string"}},
        outputs={"made": {"type": "string", "value": "[reference('one').outputs.made.value]"}},
    )
    assert deployer.outputs(content, {"name": "outside"}) == {"made": "inside-inner"}
    assert deployer.site.names() == ["inside-inner", "outside"]
    listed = deployer.call("GET").body["value"]
    assert {item["name"] for item in listed} == {"main", "one", "two"}


# Refusals before anything is made


NAMED = {"p": {"type": "string"}}
UNKNOWN = f"{NETWORK}/networkSecurityGroups/none"
BAD_TEMPLATES: list[tuple[str, Any, str, str]] = [
    ("no schema", {"contentVersion": "1.0.0.0", "resources": []}, "InvalidTemplate", r"\$schema"),
    (
        "no contentVersion",
        {"$schema": template()["$schema"], "resources": []},
        *("InvalidTemplate", "contentVersion"),
    ),
    (
        "another schema",
        {**template(), "$schema": "https://example.com/x.json"},
        *("InvalidTemplate", "not supported"),
    ),
    ("odd version", {**template(), "contentVersion": "1"}, "InvalidTemplate", "content version"),
    ("odd member", {**template(), "resource": []}, "InvalidTemplate", "Could not find member"),
    ("odd resource", template({"name": "x"}), "InvalidTemplate", "Required property 'type'"),
    (
        "odd resource member",
        template({**nsg("g"), "dependOn": []}),
        *("InvalidTemplate", "Could not find member 'dependOn'"),
    ),
    ("resources", {**template(), "resources": "x"}, "InvalidTemplate", "resources"),
    ("missing parameter", template(parameters=NAMED), "InvalidTemplate", "is not provided"),
    (
        "unknown function",
        template(nsg("[nonsense('x')]")),
        "InvalidTemplate",
        r"The template resource '\[nonsense\('x'\)\]' at line '1' and column '\d+' is not valid: "
        "The template function 'nonsense' is not valid",
    ),
    (
        "unknown function where nobody looks",
        template(nsg("g", condition=False, tags={"a": "[if(true(), '', nonsense())]"})),
        *("InvalidTemplate", "'nonsense' is not valid"),
    ),
    (
        "unknown variable in the body",
        template(nsg("g", tags={"a": "[variables('b')]"})),
        *("InvalidTemplate", "template variable 'b' is not found"),
    ),
    (
        "reference in a name",
        template(nsg("[reference('x').y]")),
        *("InvalidTemplate", "'reference' is not expected at this location"),
    ),
    (
        "reference to nothing",
        template(nsg("g", tags={"a": "[reference('x').y]"})),
        *("InvalidTemplate", "could not find template resource"),
    ),
    (
        "unknown dependency",
        template(nsg("g", dependsOn=[UNKNOWN])),
        "InvalidTemplate",
        f"The resource '{UNKNOWN}' is not defined in the template",
    ),
    (
        "circle",
        template(nsg("a", dependsOn=["b"]), nsg("b", dependsOn=["a"])),
        *("InvalidTemplate", "Circular dependency detected on resource: '/subscriptions/.*/a'"),
    ),
    (
        "circle by reference",
        template(nsg("a", tags={"x": "[reference('b').resourceGuid]"}), nsg("b", dependsOn=["a"])),
        *("InvalidTemplate", "Circular dependency"),
    ),
    (
        "twice",
        template(nsg("same"), nsg("SAME")),
        *("InvalidTemplate", "is defined multiple times in a template"),
    ),
    (
        "segments",
        template(nsg("a/b")),
        *("InvalidTemplate", "has incorrect segment lengths"),
    ),
    (
        "copy of too many",
        template(nsg("[concat('g', copyIndex())]", copy={"name": "c", "count": 801})),
        *("InvalidTemplate", "copy count '801'"),
    ),
    (
        "condition",
        template(nsg("a", condition="yes")),
        *("InvalidTemplate", "condition 'yes' is not a boolean"),
    ),
    (
        "output",
        template(outputs={"o": {"type": "string", "value": 1}}),
        *("InvalidTemplate", "Expected 'String'. Actual 'Integer'"),
    ),
    (
        "type that is not served",
        template(resource("Microsoft.Compute/galleriesOfArt", "x")),
        *("InvalidTemplateDeployment", "See inner errors"),
    ),
    (
        "unknown provider",
        template(resource("Contoso.Things/widgets", "x")),
        *("InvalidTemplateDeployment", "See inner errors"),
    ),
    (
        "region",
        template(nsg("x", location="atlantis")),
        *("InvalidTemplateDeployment", "See inner errors"),
    ),
]


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [case[1:] for case in BAD_TEMPLATES],
    ids=[case[0] for case in BAD_TEMPLATES],
)
def test_bad_templates(deployer: Deployer, content: Any, code: str, message: str) -> None:
    good = nsg("innocent")
    if isinstance(content.get("resources"), list):
        content = {**content, "resources": [good, *content["resources"]]}
    answer = deployer.put(content)
    assert (answer.status, answer.code) == (400, code)
    assert re.search(message, answer.body["error"]["message"])
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    if code == "InvalidTemplate":
        assert answer.body["error"]["additionalInfo"][0]["type"] == "TemplateViolation"
    else:
        assert answer.body["error"]["details"][0]["code"] in (
            *("InvalidResourceType", "InvalidResourceNamespace"),
            "LocationNotAvailableForResourceType",
        )
    assert deployer.site.names() == []
    assert deployer.call("GET", "main").status == 404


TYPED = {
    "text": {"type": "string", "minLength": 2, "maxLength": 4, "defaultValue": "abc"},
    "size": {"type": "int", "minValue": 1, "maxValue": 9, "defaultValue": 5},
    "kind": {"type": "string", "allowedValues": ["A", "B"], "defaultValue": "A"},
    "list": {"type": "array", "allowedValues": [1, 2], "defaultValue": [2]},
    "flag": {"type": "bool", "defaultValue": False},
    "more": {"type": "secureObject", "defaultValue": {}},
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": 1}, "Expected 'String, Uri'. Actual 'Integer'"),
        ({"size": "1"}, "Expected 'Integer'. Actual 'String'"),
        ({"flag": "true"}, "Expected 'Boolean'. Actual 'String'"),
        ({"flag": 1}, "Expected 'Boolean'. Actual 'Integer'"),
        ({"size": True}, "Expected 'Integer'. Actual 'Boolean'"),
        ({"list": {}}, "Expected 'Array'. Actual 'Object'"),
        ({"more": None}, "Expected 'Object'. Actual 'Null'"),
        ({"text": "a"}, "Length of the value should be greater than or equal to '2'"),
        ({"text": "abcde"}, "Length of the value should be less than or equal to '4'"),
        ({"size": 0}, "The value should be greater than or equal to '1'"),
        ({"size": 10}, "The value should be less than or equal to '9'"),
        ({"kind": "C"}, r"not part of the allowed value\(s\): 'A,B'"),
        ({"list": [1, 3]}, r"not part of the allowed value\(s\): '1,2'"),
        (
            {"textt": "abc"},
            "The template parameters 'textt' in the parameters file are not valid; they are not "
            "present in the original template and can therefore not be provided at deployment "
            "time. The only supported parameters for this template are 'text, size, kind",
        ),
    ],
)
def test_bad_parameters(deployer: Deployer, given: dict[str, Any], message: str) -> None:
    answer = deployer.put(template(parameters=TYPED), given)
    assert (answer.status, answer.code) == (400, "InvalidTemplate")
    assert re.search(message, answer.body["error"]["message"])


def test_good_parameters(deployer: Deployer) -> None:
    given = {"text": "ab", "size": 9, "kind": "B", "list": [1, 2], "FLAG": True, "more": {"a": 1}}
    found = deployer.made(template(parameters=TYPED), given)
    assert found["parameters"]["flag"] == {"type": "Bool", "value": True}
    assert found["parameters"]["more"] == {"type": "SecureObject"}


def test_secrets_of_a_key_vault_and_links_are_refused(deployer: Deployer) -> None:
    content = template(parameters=NAMED)
    vault = {"keyVault": {"id": "/subscriptions/x/vaults/v"}, "secretName": "s"}
    properties = {"mode": "Incremental", "template": content}
    body = {"properties": properties | {"parameters": {"p": {"reference": vault}}}}
    answer = deployer.call("PUT", "main", body)
    assert (answer.status, answer.code) == (400, "KeyVaultParameterReferenceNotFound")
    for member in ("templateLink", "parametersLink"):
        link = {"uri": "https://example.com/template.json"}
        answer = deployer.call("PUT", "main", {"properties": {**properties, member: link}})
        assert (answer.status, answer.code) == (400, "InvalidContentLink")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"properties": {}},
        {"properties": {"mode": "Incremental"}},
        {"properties": {"template": template()}},
        {"properties": {"mode": "Halfway", "template": template()}},
        {"properties": {"mode": "Incremental", "template": "text"}},
        {"properties": {"mode": "Incremental", "template": template(), "parameters": []}},
        {
            "properties": {
                "mode": "Incremental",
                "template": template(parameters=NAMED),
                "parameters": {"p": "no value"},
            }
        },
        {"properties": {"mode": "Incremental", "template": template(), "modes": 1}},
    ],
)
def test_bad_bodies(deployer: Deployer, body: Any) -> None:
    answer = deployer.call("PUT", "main", body)
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


@pytest.mark.parametrize("name", ["x" * 65, "a b", "ä$"])
def test_bad_names(deployer: Deployer, name: str) -> None:
    body = {"properties": {"mode": "Incremental", "template": template()}}
    answer = deployer.call("PUT", name.replace(" ", "%20").replace("ä", "%C3%A4"), body)
    assert (answer.status, answer.code) == (400, "InvalidDeploymentName")


ODD: list[Any] = [None, 1, "x", [], {}, [[1]], {"a": {"b": []}}, True, "[", "[x", "[x]", [{}]]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_templates_never_end_in_a_server_error(deployer: Deployer, odd: Any) -> None:
    members = ("parameters", "variables", "outputs", "functions", "resources", "languageVersion")
    contents = [{**template(nsg("g")), member: odd} for member in members]
    for member in ("copy", "dependsOn", "condition", "resources", "tags", "properties", "scope"):
        contents.append(template({**nsg("g"), member: odd}))
    for member in ("name", "type", "apiVersion", "location", "sku", "identity"):
        contents.append(template({**nsg("g"), member: odd}))
    contents.append(template(nsg("g", copy={"name": odd, "count": 1})))
    contents.append(template(nsg("g", copy={"name": "x", "count": odd, "mode": odd})))
    contents.append(template(parameters={"p": {"type": odd, "defaultValue": odd}}))
    contents.append(template(parameters={"p": {"type": "array", "allowedValues": odd}}))
    contents.append(template(outputs={"p": {"type": "string", "value": odd, "copy": odd}}))
    contents.append(template(functions=[{"namespace": odd, "members": {"f": odd}}]))
    contents.append(template(variables={"copy": [{"name": odd, "count": odd, "input": odd}]}))
    for content in contents:
        answer = deployer.put(content)
        if answer.status in (200, 201):
            error = deployer.ended(answer).get("error", {})
            assert "InternalExecutionError" not in str(error), content
        else:
            assert answer.status == 400, (content, answer)
            assert answer.code != "InternalExecutionError"


# Failures on the way


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


# What is found out before anything is made


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


def machine(keys: Keys, name: str, nic_name: str, size: str = "Standard_D2s_v5") -> dict[str, Any]:
    identifier = f"[resourceId('{NETWORK}/networkInterfaces', {nic_name.strip('[]')})]"
    properties = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {"imageReference": IMAGE, "osDisk": {"createOption": "FromImage"}},
        "osProfile": os_profile(keys, computerName="host"),
        "networkProfile": {"networkInterfaces": [{"id": identifier}]},
    }
    kind = "Microsoft.Compute/virtualMachines"
    return resource(kind, name, properties, dependsOn=[identifier])


def test_a_disk_made_beside_the_machine_it_is_attached_to(deployer: Deployer, keys: Keys) -> None:
    disk = resource(
        "Microsoft.Compute/disks",
        "data",
        {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64},
        apiVersion="2023-04-02",
    )
    identifier = "[resourceId('Microsoft.Compute/disks', 'data')]"
    vm = machine(keys, "m", "'n'")
    attached = {"lun": 2, "createOption": "attach", "managedDisk": {"id": identifier}}
    vm["properties"]["storageProfile"] = {
        **vm["properties"]["storageProfile"],
        "dataDisks": [attached],
    }
    vm["dependsOn"].append("Microsoft.Compute/disks/data")
    prefix = deployer.site.prefix
    deployer.made(template(vm, disk, nic("n", "v", dependsOn=["v"]), vnet("v", prefix)))
    (shown,) = deployer.site.get("virtualMachines", "m").body["properties"]["storageProfile"][
        "dataDisks"
    ]
    assert (shown["lun"], shown["name"], shown["diskSizeGB"]) == (2, "data", 64)
    owner = deployer.site.get("disks", "data").body["managedBy"]
    assert owner.lower().endswith("/virtualmachines/m")


# Modes


def test_complete_deletes_what_is_not_in_the_template(deployer: Deployer, keys: Keys) -> None:
    site = deployer.site
    subnet = site.network("old")
    site.nic("old-nic", subnet)
    kept = template(
        vnet("v", "10.255.0.0/24"),
        nic("n", "v", dependsOn=["v"]),
        machine(keys, "m", "['n']"),
        nsg("unwanted", condition=False),
    )
    site.made("networkSecurityGroups", "unwanted")
    deployer.made(kept)
    assert {"old", "old-nic", "unwanted"} <= set(site.names())  # Incremental is the default
    deployer.made(kept, mode="Complete")
    names = site.names()
    disks = [name for name in names if name.startswith("m_")]
    assert len(disks) == 1  # what a VM of the template has made stays
    assert sorted(names) == sorted(["m", "n", "v", *disks])
    kinds = [
        item["properties"]["provisioningOperation"]
        for item in deployer.call("GET", "main/operations").body["value"]
    ]
    assert "DeploymentCleanup" in kinds


def test_cancelling_and_what_is_still_active(slow: Cloud, keys: Keys) -> None:
    site = Site(slow, "cancelled", "10.250.0.0/20")
    deployer = Deployer(site)
    content = template(vnet("v", site.prefix), nic("n", "v", dependsOn=["v"]))
    deployer.put(content)
    running = deployer.call("GET", "main")
    assert running.body["properties"]["provisioningState"] in ("Accepted", "Running")
    assert "retry-after" in running.headers
    again = deployer.put(content)
    assert (again.status, again.code) == (409, "DeploymentActive")
    assert deployer.call("DELETE", "main").code == "DeploymentActive"
    answer = deployer.call("POST", "main/cancel")
    assert (answer.status, answer.body) == (204, None)
    assert deployer.call("GET", "main").body["properties"]["provisioningState"] == "Canceled"
    answer = deployer.call("POST", "main/cancel")
    assert (answer.status, answer.code) == (409, "DeploymentCannotBeCancelled")
    time.sleep(0.5)
    assert "n" not in site.names()
    assert deployer.call("GET", "main").body["properties"]["provisioningState"] == "Canceled"


def test_deleting_the_group_ends_the_deployment(slow: Cloud) -> None:
    site = Site(slow, "doomed", "10.251.0.0/20")
    deployer = Deployer(site)
    chain = [nsg("g0"), *(nsg(f"g{n}", dependsOn=[f"g{n - 1}"]) for n in range(1, 30))]
    deployer.put(template(*chain))
    slow.call("DELETE", site.path)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = deployer.call("GET", "main")
        if found.status == 404 or found.body["properties"]["provisioningState"] == "Canceled":
            return
        time.sleep(0.05)
    raise AssertionError(found)


# The real SDK, and our own job files


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
    controller = job_files.controller_template(CLUSTER)
    found = deployer.made(controller, parameters, name="controller")
    assert all("value" not in item for item in found["parameters"].values())
    names = CLUSTER.names
    vm = deployer.site.get("virtualMachines", names.controller).body
    assert vm["properties"]["provisioningState"] == "Succeeded"
    deployer.made(job_files.engine_set_template(CLUSTER, ENGINES), parameters, name="engines")
    machines = deployer.site.get("virtualMachines").body["value"]
    assert len(machines) == ENGINES.vm_count + 1
    assert {machine["properties"]["hardwareProfile"]["vmSize"] for machine in machines} == {
        MACHINE.vm_size
    }


# Links, and what a deployment would do

LINK = "https://example.com/main.json"


@pytest.fixture
def linked(deployer: Deployer) -> Iterator[Deployer]:
    """With a template and its parameters behind links."""
    content = template(nsg("[parameters('name')]"), parameters={"name": {"type": "string"}})
    parameters = {"parameters": {"name": {"value": "rules"}}}
    for uri, item in ((LINK, content), (f"{LINK}.parameters", parameters)):
        declared = {"uri": f"{uri}?sig=secret", "content": item}
        deployer.site.cloud.call("POST", "/emulator/links", declared, version=None)
    yield deployer
    deployer.site.cloud.call("DELETE", "/emulator/links", version=None)


def test_declared_links_are_followed(linked: Deployer) -> None:
    body = {
        "mode": "Incremental",
        "templateLink": {"uri": LINK},
        "parametersLink": {"uri": f"{LINK}.parameters"},
    }
    answer = linked.call("PUT", "main", {"properties": body})
    assert answer.status == 201, answer
    shown = answer.body["properties"]
    assert shown["templateLink"] == {"contentVersion": "1.0.0.0", "uri": LINK}
    assert shown["parametersLink"] == {"uri": f"{LINK}.parameters"}
    linked.ended(answer)
    assert linked.site.get("networkSecurityGroups", "rules").status == 200
    both = linked.call("PUT", "other", {"properties": {**body, "parameters": {"name": {}}}})
    assert (both.status, both.code) == (400, "InvalidRequestContent")
    listed = linked.site.cloud.call("GET", "/emulator/links", version=None).body
    assert listed == {"links": [LINK, f"{LINK}.parameters"]}


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
    assert deployer.call("GET", "main").body["type"] == "Microsoft.Resources/deployments"
