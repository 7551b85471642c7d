"""The outer form of a template: which members it and its resources may have."""

from __future__ import annotations

from typing import Any

from .errors import Places, TemplateError

SCHEMAS = ("2014-04-01-preview", "2015-01-01", "2018-05-01", "2019-04-01", "2019-08-01")
OF_SUBSCRIPTIONS = "2018-05-01"
LIMITS = {"parameters": 256, "variables": 256, "outputs": 64}
OBJECTS = ("parameters", "variables", "outputs")
MEMBERS = {
    *("$schema", "contentVersion", "languageVersion", "apiProfile", "metadata", "definitions"),
    *("parameters", "functions", "variables", "resources", "outputs"),
}
RESOURCE_MEMBERS = {
    *("name", "type", "apiVersion", "location", "tags", "dependsOn", "condition", "copy", "scope"),
    *("properties", "sku", "kind", "plan", "identity", "zones", "resources", "comments"),
    *("metadata", "managedBy", "extendedLocation", "resourceGroup", "subscriptionId", "existing"),
}


def parse_failed(reason: str) -> TemplateError:
    return TemplateError(f"Deployment template parse failed: '{reason}'.")


def check(template: dict[str, Any]) -> None:
    """Raise TemplateError if a member is missing, unknown or of the wrong type."""
    for name in ("$schema", "contentVersion", "resources"):
        if template.get(name) is None:
            raise parse_failed(f"Required property '{name}' not found in JSON. Path ''.")
    for name in template:
        if name not in MEMBERS:
            raise parse_failed(f"Could not find member '{name}' on object of type 'Template'.")
    _check_schema(template)
    version = str(template["contentVersion"]).split(".")
    if len(version) != 4 or not all(part.isdigit() for part in version):
        raise parse_failed(f"The content version '{template['contentVersion']}' is not valid.")
    for name in OBJECTS:
        _check_object(template, name)
    symbolic = isinstance(template["resources"], dict)
    if symbolic and not str(template.get("languageVersion", "")).startswith("2."):
        raise parse_failed("Error converting value to type 'TemplateResource[]'. Path 'resources'.")
    if not isinstance(template["resources"], (list, dict)):
        raise parse_failed("Error converting value to type 'TemplateResource[]'. Path 'resources'.")
    if not isinstance(template.get("functions") or [], list):
        raise parse_failed("Error converting value to type 'TemplateFunction[]'. Path 'functions'.")


def _check_schema(template: dict[str, Any]) -> None:
    known = [f"/schemas/{version}/deploymenttemplate.json" for version in SCHEMAS]
    known.append(f"/schemas/{OF_SUBSCRIPTIONS}/subscriptiondeploymenttemplate.json")
    if not str(template["$schema"]).lower().rstrip("#").endswith(tuple(known)):
        raise Places(template).invalid(
            f"The template schema '{template['$schema']}' is not supported. Supported versions "
            f"are '{','.join(SCHEMAS)}'. Please see https://aka.ms/arm-template for usage details."
        )


def _check_object(template: dict[str, Any], name: str) -> None:
    value = template.get(name)
    if value is None:
        return
    if not isinstance(value, dict):
        raise parse_failed(f"Error converting value to type 'Dictionary'. Path '{name}'.")
    if len(value) > LIMITS[name]:
        raise Places(template).invalid(
            f"The number of template {name} limit exceeded. Limit: '{LIMITS[name]}' and actual: "
            f"'{len(value)}'. Please see https://aka.ms/arm-template/#{name} for usage details."
        )
    for key, item in value.items():
        if name != "variables" and not isinstance(item, dict):
            raise parse_failed(f"Error converting value to an object. Path '{name}.{key}'.")


def check_resource(resource: Any, path: str) -> dict[str, Any]:
    if not isinstance(resource, dict):
        raise parse_failed(f"Error converting value to type 'TemplateResource'. Path '{path}'.")
    for name in resource:
        if name not in RESOURCE_MEMBERS:
            raise parse_failed(
                f"Could not find member '{name}' on object of type 'TemplateResource'. "
                f"Path '{path}.{name}'."
            )
    for name in ("name", "type", "apiVersion"):
        if not isinstance(resource.get(name), str) or not resource[name]:
            raise parse_failed(f"Required property '{name}' not found in JSON. Path '{path}'.")
    return resource
