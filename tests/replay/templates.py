"""Templates that were not recorded, or lay behind a link: any that gives the recorded answers."""

from __future__ import annotations

from typing import Any

from .sessions import SERVED, UNKNOWN, Exchange

Json = dict[str, Any]

KIND = "microsoft.resources/deployments"
SCHEMA = "https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#"
SECRETS = {"securestring": "Replay-2b-or-not", "secureobject": {}}
LINKS = ("templateLink", "parametersLink")


def is_deployment(exchange: Exchange) -> bool:
    return exchange.kind == KIND and exchange.method == "PUT" and exchange.status < 300


def body_for(exchange: Exchange, session: list[Exchange]) -> tuple[Json, dict[str, Json]]:
    """The body to send, and what each of its links leads to."""
    shown: Json = exchange.answer["properties"]
    recorded = exchange.body if isinstance(exchange.body, dict) else {}
    sent: Json = recorded.get("properties") or {"mode": shown["mode"]}
    if "template" in sent:
        return recorded, {}
    final = _final(exchange, session)
    template = _template(shown, final)
    parameters = {
        name: {"value": _value(item)} for name, item in (shown.get("parameters") or {}).items()
    }
    links = {name: (sent.get(name) or shown[name]) for name in LINKS if name in {**shown, **sent}}
    properties: Json = {**sent, **links}
    contents: dict[str, Json] = {}
    if "templateLink" in links:
        contents[links["templateLink"]["uri"]] = template
    else:
        properties["template"] = template
    if "parametersLink" in links:
        contents[links["parametersLink"]["uri"]] = {"parameters": parameters}
    else:
        properties["parameters"] = parameters
    tags = exchange.answer.get("tags")
    return {"properties": properties} | ({"tags": tags} if tags else {}), contents


def _final(exchange: Exchange, session: list[Exchange]) -> Json:
    """What the deployment came to be in the end, if that was asked."""
    later = session[session.index(exchange) :]
    for other in later[1:]:
        if other.path == exchange.path and other.method == "PUT":
            break
        shown = other.answer.get("properties") if isinstance(other.answer, dict) else None
        if other.path == exchange.path and shown and shown["provisioningState"] == "Succeeded":
            return dict(shown)
    return {}


def _template(shown: Json, final: Json) -> Json:
    """As many resources as were made, in the same order, but of a type that needs nothing."""
    parameters = {
        name: {"type": item["type"].lower()}
        for name, item in (shown.get("parameters") or {}).items()
    }
    needs = {
        item["id"]: [other["id"] for other in item["dependsOn"]] for item in shown["dependencies"]
    }
    made = [item["id"] for item in final.get("outputResources", [])]
    made += [identifier for identifier in needs if identifier not in made]
    made += [other for others in needs.values() for other in others if other not in made]
    if not made and shown["providers"]:
        made = ["only"]
    names = {identifier: f"replay-{number}" for number, identifier in enumerate(made)}
    resources = [
        {
            "type": "Microsoft.Compute/availabilitySets",
            "apiVersion": "2021-03-01",
            "name": name,
            "location": "eastus",
            "dependsOn": [names[other] for other in needs.get(identifier, [])],
        }
        for identifier, name in names.items()
    ]
    version = (shown.get("templateLink") or {}).get("contentVersion", "1.0.0.0")
    template: Json = {
        "$schema": SCHEMA,
        "contentVersion": version,
        "parameters": parameters,
        "resources": resources,
    }
    outputs = final.get("outputs")
    return template | ({"outputs": outputs} if outputs else {})


def _value(item: Json) -> Any:
    return item["value"] if "value" in item else SECRETS.get(item["type"].lower(), "")


def not_served(session: list[Exchange]) -> set[str]:
    """The paths of deployments of recorded templates that need other services."""
    found = set()
    for exchange in session:
        body = exchange.body if isinstance(exchange.body, dict) else {}
        template = (body.get("properties") or {}).get("template") or {}
        if is_deployment(exchange) and any(
            str(item.get("type")).lower() not in SERVED for item in template.get("resources", [])
        ):
            found.add(exchange.path.lower())
    return found


def is_unknown(exchange: Exchange) -> bool:
    """Whether the template has to be made up."""
    sent = (exchange.body.get("properties") or {}) if isinstance(exchange.body, dict) else {}
    return is_deployment(exchange) and (exchange.body == UNKNOWN or "templateLink" in sent)
