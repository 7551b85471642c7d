"""Templates and parameters that a link leads to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..template_samples import Deployer, nsg, template

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
