"""The language of ARM templates: what each expression means, and how a wrong one is refused."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest

from azure_emulator.base.errors import ArmError
from azure_emulator.templates.expressions import ExpressionError, parse
from azure_emulator.templates.plan import Plan
from azure_emulator.templates.scope import Surroundings

from ..template_samples import template

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/team"
AROUND = Surroundings(
    subscription_id=SUBSCRIPTION,
    tenant_id="55555555-6666-7777-8888-999999999999",
    group={"id": GROUP, "name": "team", "location": "eastus", "tags": {"a": "b"}},
    deployment={"name": "main", "properties": {"mode": "Incremental"}},
    now=datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=timezone.utc),
    new_uuid=lambda: "11111111-2222-4333-8444-555555555555",
)
PARAMETERS = {
    "n": {"type": "int", "defaultValue": 7},
    "text": {"type": "string", "defaultValue": "hello"},
    "flag": {"type": "bool", "defaultValue": True},
    "list": {"type": "array", "defaultValue": ["x", "y", "z"]},
    "deep": {"type": "object", "defaultValue": {"A": {"b": [10, {"c": "found"}]}, "e": {}}},
}
VARIABLES = {
    "greeting": "[concat(parameters('text'), ' world')]",
    "nested": {"key": "[variables('greeting')]", "[parameters('text')]": 1},
    "copy": [{"name": "disks", "count": 3, "input": "[concat('d', copyIndex('disks', 1))]"}],
    "inside": {"copy": [{"name": "sizes", "count": 2, "input": {"lun": "[copyIndex('sizes')]"}}]},
}
FUNCTIONS = [
    {
        "namespace": "lab",
        "members": {
            "double": {
                "parameters": [{"name": "value", "type": "int"}],
                "output": {"type": "int", "value": "[mul(parameters('value'), 2)]"},
            }
        },
    }
]


def plan(**members: Any) -> Plan:
    content = {"parameters": PARAMETERS, "variables": VARIABLES, "functions": FUNCTIONS, **members}
    return Plan(template(**content), None, AROUND)


def value(expression: str) -> Any:
    return plan().evaluator.value(expression)


VALUES = [
    # literals
    ("plain", "plain"),
    ("[[literal]", "[literal]"),
    ("[not closed", "[not closed"),
    ("['it''s']", "it's"),
    ("[-3]", -3),
    ("[ concat ( 'a' , 'b' ) ]", "ab"),
    # parameters, variables, access; names have no case
    ("[parameters('N')]", 7),
    ("[PARAMETERS('text')]", "hello"),
    ("[variables('greeting')]", "hello world"),
    ("[variables('nested').key]", "hello world"),
    ("[variables('nested').hello]", 1),
    ("[variables('disks')]", ["d1", "d2", "d3"]),
    ("[variables('inside').sizes[1].lun]", 1),
    ("[parameters('deep').a.B[1].c]", "found"),
    ("[parameters('deep')['a']['b'][0]]", 10),
    ("[parameters('list')[sub(length(parameters('list')), 1)]]", "z"),
    ("[lab.double(21)]", 42),
    # strings
    ("[concat('a', 1, true())]", "a1True"),
    ("[concat(createArray(1), createArray(2, 3))]", [1, 2, 3]),
    ("[format('{0}-{1:D3}-{{x}}', 'a', 7)]", "a-007-{x}"),
    ("[format('{0:X}|{1,5}|{1,-5}|', 255, 'ab')]", "FF|   ab|ab   |"),
    ("[format('{0:N0}', 1234567)]", "1,234,567"),
    ("[base64('hi')]", "aGk="),
    ("[base64ToString('aGk=')]", "hi"),
    ("[base64ToJson('eyJhIjoxfQ==').a]", 1),
    ("[toLower('AbC')]", "abc"),
    ("[toUpper('AbC')]", "ABC"),
    ("[trim('  a ')]", "a"),
    ("[padLeft(7, 3, '0')]", "007"),
    ("[replace('a-b-c', '-', '')]", "abc"),
    ("[split('a,b;c', createArray(',', ';'))]", ["a", "b", "c"]),
    ("[split('a.b', '.')]", ["a", "b"]),
    ("[join(createArray('a', 1), '+')]", "a+1"),
    ("[substring('hello', 1, 3)]", "ell"),
    ("[substring('hello', 2)]", "llo"),
    ("[take('hello', 2)]", "he"),
    ("[skip('hello', 2)]", "llo"),
    ("[startsWith('Hello', 'hE')]", True),
    ("[endsWith('Hello', 'LO')]", True),
    ("[indexOf('Hello', 'L')]", 2),
    ("[lastIndexOf('Hello', 'L')]", 3),
    ("[indexOf('Hello', 'x')]", -1),
    ("[uri('http://a.b/c/', 'd/e')]", "http://a.b/c/d/e"),
    ("[uriComponent('a b/ä')]", "a%20b%2F%C3%A4"),
    ("[uriComponentToString('a%20b')]", "a b"),
    ("[string(createObject('a', createArray(1, true())))]", '{"a":[1,true]}'),
    ("[string(false())]", "False"),
    # arrays and objects
    ("[length('abc')]", 3),
    ("[length(createObject('a', 1))]", 1),
    ("[empty(parameters('deep').e)]", True),
    ("[empty('x')]", False),
    ("[empty(null())]", True),
    ("[contains('abc', 'b')]", True),
    ("[contains(createArray(1, 2), 2)]", True),
    ("[contains(createArray(1), true())]", False),
    ("[contains(parameters('deep'), 'a')]", True),
    ("[first('abc')]", "a"),
    ("[last(createArray(1, 2))]", 2),
    ("[range(3, 4)]", [3, 4, 5, 6]),
    ("[union(createArray(1, 2), createArray(2, 3))]", [1, 2, 3]),
    ('[union(json(\'{"a":{"b":1}}\'), json(\'{"a":{"c":2}}\'))]', {"a": {"b": 1, "c": 2}}),
    ("[intersection(createArray(1, 2, 3), createArray(3, 2))]", [2, 3]),
    ('[intersection(json(\'{"a":1,"b":2}\'), json(\'{"a":1,"b":3}\'))]', {"a": 1}),
    ("[array('x')]", ["x"]),
    ('[items(json(\'{"b":1,"a":2}\'))]', [{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
    ("[tryGet(parameters('deep'), 'no', 'such')]", None),
    ("[tryGet(parameters('deep'), 'A', 'b', 0)]", 10),
    # numbers
    ("[add(2, 3)]", 5),
    ("[sub(2, 3)]", -1),
    ("[mul(2, 3)]", 6),
    ("[div(-7, 2)]", -3),
    ("[mod(-7, 2)]", -1),
    ("[min(3, 1, 2)]", 1),
    ("[max(createArray(3, 5, 2))]", 5),
    ("[int('12')]", 12),
    ("[bool('True')]", True),
    ("[bool(0)]", False),
    ("[json('null')]", None),
    ("[json('[1,{}]')]", [1, {}]),
    # truth
    ("[equals('a', 'A')]", False),
    ("[equals(1, '1')]", False),
    ("[equals(1, true())]", False),
    ("[equals(json('{\"a\":[1]}'), json('{\"a\":[1]}'))]", True),
    ("[equals(json('null'), null())]", True),
    ("[and(true(), equals(1, 1))]", True),
    ("[or(false(), false())]", False),
    ("[not(false())]", True),
    ("[greater(2, 1)]", True),
    ("[greaterOrEquals('b', 'b')]", True),
    ("[less(2, 1)]", False),
    ("[lessOrEquals(1, 1)]", True),
    ("[coalesce(null(), '', 'x')]", ""),
    ("[if(parameters('flag'), 'yes', 'no')]", "yes"),
    # only the branch that is taken is evaluated
    ("[if(true(), 1, div(1, 0))]", 1),
    ("[or(true(), equals(div(1, 0), 1))]", True),
    ("[coalesce(1, div(1, 0))]", 1),
    # hashes: uniqueString's values are Azure's own, published by others
    ("[uniqueString('hello', 'world')]", "a7wkljktk6wne"),
    ("[uniqueString('test')]", "rbgf3xv4ufgzg"),
    (
        "[uniqueString('/subscriptions/00000000-0000-0000-0000-000000000000"
        "/resourceGroups/my-rg')]",
        "bmg7c6xu4tw46",
    ),
    ("[equals(guid('a', 'b'), guid('a-b'))]", True),
    ("[guid('a', 'b')]", "2d796349-8c7e-55ec-9624-54ece82ed031"),
    # ids
    ("[resourceId('A.B/c', 'x')]", f"{GROUP}/providers/A.B/c/x"),
    ("[resourceId('A.B/c/d/', 'x', 'y')]", f"{GROUP}/providers/A.B/c/x/d/y"),
    (
        "[resourceId('other', 'A.B/c', 'x')]",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/A.B/c/x",
    ),
    ("[resourceId('s', 'g', 'A.B/c', 'x')]", "/subscriptions/s/resourceGroups/g/providers/A.B/c/x"),
    (
        "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'x')]",
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/x",
    ),
    ("[extensionResourceId('/a', 'A.B/c', 'x')]", "/a/providers/A.B/c/x"),
    ("[resourceGroup().location]", "eastus"),
    ("[resourceGroup().tags.a]", "b"),
    ("[subscription().subscriptionId]", SUBSCRIPTION),
    ("[deployment().name]", "main"),
    ("[tenant().tenantId]", AROUND.tenant_id),
    ("[environment().suffixes.storage]", "core.windows.net"),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[text for text, _ in VALUES])
def test_values(expression: str, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


WRONG = [
    # syntax, in Azure's words
    ("[concat('a']", "expected token 'RightParenthesis' and actual 'EndOfData'"),
    ("[concat('a'x]", "expected token 'RightParenthesis' and actual 'Identifier'"),
    ("[parameters]", "expected token 'LeftParenthesis' and actual 'EndOfData'"),
    ("[{]", r"the string character '\{' at position '0' is not expected"),
    ("[concat('a') 1]", "expected token 'EndOfData' and actual 'Integer'"),
    ("[]", "expected token 'Identifier' and actual 'EndOfData'"),
    # names
    ("[nonsense(1)]", "The template function 'nonsense' is not valid"),
    ("[lab.triple(1)]", "The template function 'lab.triple' is not valid"),
    ("[parameters('nope')]", "The template parameter 'nope' is not found"),
    ("[variables('nope')]", "The template variable 'nope' is not found"),
    (
        "[parameters('deep').nope]",
        "property 'nope' doesn't exist, available properties are 'A, e'",
    ),
    ("[parameters('list')[3]]", "array index '3' is out of bounds"),
    ("[parameters('text').x]", "property 'x' can't be evaluated"),
    # places
    ("[reference('x')]", "'reference' is not expected at this location"),
    ("[newGuid()]", "'newGuid' is not expected at this location"),
    ("[utcNow()]", "'utcNow' is not expected at this location"),
    ("[copyIndex()]", "'copyIndex' is not expected at this location"),
    # arguments
    ("[toLower()]", "function requires '1' argument.* while '0' were provided"),
    ("[if(true(), 1)]", "function requires '3' argument"),
    ("[lab.double()]", "function requires '1' argument"),
    ("[empty(100)]", "'empty' expects its parameter.*The provided value is of type 'Integer'"),
    ("[if('yes', 1, 2)]", "expects boolean parameters"),
    ("[div(1, 0)]", "divisor must not be zero"),
    ("[int('x')]", "'x' is not a valid integer"),
    ("[add(9223372036854775807, 1)]", "too large"),
    ("[substring('abc', 2, 5)]", "must refer to a location within the string"),
    ("[format('{1}', 'a')]", "no argument for the placeholder"),
    ("[format('{', 'a')]", "not well formed"),
    ("[json('{')]", "not valid JSON"),
    ("[base64ToString('???')]", "not valid Base64"),
    ("[greater(1, 'a')]", "both strings"),
    ("[resourceId('x', 'y')]", "fully qualified resource type"),
    ("[resourceId('A.B/c', 'x', 'y')]", r"requires '1' resource name argument"),
    ("[createObject('a')]", "pairs"),
    ("[fail('because')]", "because"),
    # what would not fit into memory
    ("[padLeft('a', 999999999999)]", "literal limit exceeded"),
    ("[range(0, 100000000)]", "count must be between"),
    ("[replace(padLeft('', 9999, 'a'), 'a', padLeft('', 9999, 'b'))]", "literal limit exceeded"),
]


@pytest.mark.parametrize(("expression", "message"), WRONG, ids=[text for text, _ in WRONG])
def test_refusals(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        value(expression)


def test_an_expression_too_deep_or_too_long_is_refused() -> None:
    deep = "[" + "concat(" * 2000 + "'a'" + ")" * 2000 + "]"
    with pytest.raises(ExpressionError, match="depth limit"):
        parse(deep)
    with pytest.raises(ExpressionError, match="length limit"):
        parse("['" + "a" * 30_000 + "']")


def test_variables_that_double_again_and_again_are_refused() -> None:
    variables: dict[str, Any] = {"v0": "[createArray('a', 'b')]"}
    for number in range(60):
        double = f"[createArray(variables('v{number}'), variables('v{number}'))]"
        variables[f"v{number + 1}"] = double
    with pytest.raises(ArmError, match="expanded template exceeds"):
        plan(variables=variables)


def test_a_template_that_expands_beyond_the_limit_is_refused() -> None:
    big = "x" * 60_000
    with pytest.raises(ArmError, match="expanded template exceeds"):
        plan(
            variables={},
            outputs={
                "o": {"type": "array", "copy": {"count": 100, "input": f"[concat('{big[:9000]}')]"}}
            },
            parameters={f"p{n}": {"type": "string", "defaultValue": big} for n in range(80)},
        )


@pytest.mark.parametrize(
    "names",
    [{"a": "[variables('b')]", "b": "[variables('a')]"}, {"a": "[variables('a')]"}],
)
def test_variables_in_a_circle_are_refused(names: dict[str, str]) -> None:
    with pytest.raises(ArmError, match="Circular"):
        plan(variables=names)


def test_defaults_may_use_parameters_dates_and_guids() -> None:
    parameters = {
        "a": {"type": "string", "defaultValue": "[concat(parameters('b'), '!')]"},
        "b": {"type": "string", "defaultValue": "[resourceGroup().name]"},
        "when": {"type": "string", "defaultValue": "[utcNow()]"},
        "day": {"type": "string", "defaultValue": "[utcNow('yyyy-MM-dd HH:mm:ss.fff')]"},
        "odd": {"type": "string", "defaultValue": "[utcNow('d')]"},
        "id": {"type": "string", "defaultValue": "[newGuid()]"},
    }
    found = plan(parameters=parameters, variables={}, functions=[]).parameters.shown()
    assert {name: item["value"] for name, item in found.items()} == {
        "a": "team!",
        "b": "team",
        "when": "20260203T040506Z",
        "day": "2026-02-03 04:05:06.789",
        "odd": "02/03/2026",
        "id": "11111111-2222-4333-8444-555555555555",
    }


def test_the_place_of_an_error_is_the_one_in_the_template_without_white_space() -> None:
    content = template(parameters={"size": {"type": "string"}})
    with pytest.raises(ArmError) as caught:
        Plan(content, None, AROUND)
    (more,) = caught.value.body()["error"]["additionalInfo"]
    text = '{"$schema":"' + content["$schema"] + '","contentVersion":"1.0.0.0",'
    text += '"parameters":{"size":{'
    assert more == {
        "type": "TemplateViolation",
        "info": {
            "lineNumber": 1,
            "linePosition": len(text),
            "path": "properties.template.parameters.size",
        },
    }
    assert re.search(
        rf"'The value for the template parameter 'size' at line '1' and column '{len(text)}' is "
        "not provided",
        caught.value.message,
    )
