"""Both job files of a cluster as one template, which deploys the one after the other. Pure.

Each is a deployment of its own in it, whose expressions see its own parameters alone ("inner"):
https://learn.microsoft.com/azure/azure-resource-manager/templates/linked-templates
"""

from .arm_template import SCHEMA
from .resource_types import DEPLOYMENT, DEPLOYMENTS_API, Json

# what only one of the two has, or what differs between them: programs, and what is made of them
OWN = {"tags", "customData", "programs", "boot"}


def in_one(controller: Json, engines: Json, cluster: str) -> Json:
    """Return one template that deploys the controller's, then the engines'.

    Its parameters are those of both which a user may want to change, with the same defaults.
    `cluster` is the base of the names of the two deployments.
    """
    parts = {"controller": controller, "engines": engines}
    parameters: Json = {}
    for template in parts.values():
        own = template["parameters"]
        parameters.update({name: item for name, item in own.items() if name not in OWN})
    deployments = [
        _deployment(f"{cluster}-{side}", template, parameters) for side, template in parts.items()
    ]
    first, second = deployments
    second["dependsOn"] = [f"[resourceId('{DEPLOYMENT}', '{first['name']}')]"]
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "metadata": controller["metadata"],
        "parameters": parameters,
        "resources": deployments,
    }


def _deployment(name: str, template: Json, parameters: Json) -> Json:
    passed = {
        name: {"value": f"[parameters('{name}')]"}
        for name in template["parameters"]
        if name in parameters
    }
    properties = {
        "mode": "Incremental",
        "expressionEvaluationOptions": {"scope": "inner"},
        "parameters": passed,
        "template": template,
    }
    return {
        "type": DEPLOYMENT,
        "apiVersion": DEPLOYMENTS_API,
        "name": name,
        "properties": properties,
    }
