"""A job file -> the requests that a launcher makes: its expressions put into effect. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..resource_ids import group_scope, resource_id
from .cluster_plan import ClusterPlan
from .resource_types import Json


@dataclass(frozen=True)
class ResourceRequest:
    """One PUT: what to create, under which id, after which others, with which body."""

    type: str
    name: str
    id: str
    api_version: str
    depends_on: tuple[str, ...]
    body: Json


def requests(
    template: Json, parameters: Mapping[str, str], cluster: ClusterPlan
) -> list[ResourceRequest]:
    """Return a request for each of the template's resources, in its order.

    Every expression is replaced by its value: parameters by those of `parameters` or their
    defaults, the tags by those of the cluster, ids by those in its subscription and group. Raises
    ValueError for other expressions. A resource on condition is none of a start's: it does that by
    itself, once it knows who may.
    """
    defaults = {
        name: item["defaultValue"]
        for name, item in template["parameters"].items()
        if "defaultValue" in item
    }
    values = {**defaults, "tags": dict(cluster.tags), **parameters}
    group = group_scope(cluster.subscription_id, cluster.resource_group)

    def value(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: value(item) for key, item in node.items()}
        if isinstance(node, list):
            return [value(item) for item in node]
        if isinstance(node, str) and node.startswith("[") and node.endswith("]"):
            literal = node.startswith("[[")
            return node[1:] if literal else _evaluate(node, values, group)
        return node

    found = []
    for resource in template["resources"]:
        if "condition" in resource:
            continue
        fields = value(resource)
        kind, name = fields.pop("type"), fields.pop("name")
        depends_on = tuple(fields.pop("dependsOn", ()))
        api = fields.pop("apiVersion")
        identity = resource_id(group, kind, name)
        found.append(ResourceRequest(kind, name, identity, api, depends_on, fields))
    return found


def _evaluate(expression: str, parameters: Mapping[str, Any], group: str) -> Any:
    """Return the value of `[parameters('p')]` or `[resourceId('type', 'name', ...)]`.

    These are all that our templates use.
    """
    match = re.fullmatch(r"\[(parameters|resourceId)\(([^()]*)\)\]", expression)
    if match is None:
        raise ValueError(f"{expression} is not an expression of our own templates")
    arguments = [argument.strip().strip("'") for argument in match[2].split(",")]
    if match[1] == "parameters":
        return parameters[arguments[0]]
    return resource_id(group, *arguments)
