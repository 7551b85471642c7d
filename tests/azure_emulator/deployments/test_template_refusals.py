"""Templates, parameters and requests that are refused before anything is made."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..template_samples import Deployer, nsg, resource, template

NETWORK = "Microsoft.Network"


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
