"""How ARM templates are written: resources, and the expressions that stand in them. Pure."""

from typing import Any

from .resource_types import Json, api_version

TAGS = "[parameters('tags')]"
LOCATION = "[parameters('location')]"


def literal(text: str) -> str:
    """Return what a template must say for `text`: Azure would evaluate what is in brackets."""
    return f"[{text}" if text.startswith("[") and text.endswith("]") else text


def resource_id_expression(kind: str, *names: str) -> str:
    """Return the expression for the id of a resource in the group that is deployed to."""
    quoted = ", ".join(f"'{item}'" for item in (kind, *names))
    return f"[resourceId({quoted})]"


def resource(
    kind: str,
    name: str,
    properties: Json,
    *,
    depends_on: tuple[str, ...] = (),
    **top: Any,
) -> Json:
    """Return a resource in the template's location and with its tags; `top`: other members."""
    described: Json = {
        "type": kind,
        "apiVersion": api_version(kind),
        "name": name,
        "location": LOCATION,
    }
    if depends_on:
        described["dependsOn"] = list(depends_on)
    return {**described, "tags": TAGS, **top, "properties": properties}
