"""What a template's link leads to: nothing is downloaded, so it is declared beforehand."""

from __future__ import annotations

from ..base import errors
from ..base.declared import OBJECT, TEXT, checked
from ..base.messages import Json
from ..deployments import errors as refusals

LINKS = {"templateLink": "template", "parametersLink": "parameters"}
RULES = {"uri": TEXT, "content": OBJECT}


class Links:
    def __init__(self) -> None:
        self._contents: dict[str, Json] = {}

    def declare(self, body: Json) -> Json:
        """{"uri", "content"}: a template, or a file of parameters."""
        found = checked(body, RULES, required=tuple(RULES))
        self._contents[_key(found["uri"])] = found["content"]
        return self.listed()

    def listed(self) -> Json:
        return {"links": sorted(self._contents)}

    def withdraw_all(self) -> Json:
        self._contents.clear()
        return self.listed()

    def resolve(self, properties: Json, tracking_id: str) -> Json:
        """A deployment's properties with what its links lead to, in place of nothing."""
        found = dict(properties)
        for link, member in LINKS.items():
            if link not in properties:
                continue
            uri = properties[link].get("uri") or properties[link].get("id")
            content = self._contents.get(_key(uri))
            if content is None:
                raise refusals.unreachable_link(uri, tracking_id)
            if properties.get(member):
                raise errors.invalid_content(
                    f"Only one of '{member}' and '{link}' can be given. Path 'properties'."
                )
            found[member] = content
        if "parametersLink" in properties:
            found["parameters"] = found["parameters"].get("parameters", {})
        return found


def shown(properties: Json, template: Json) -> Json:
    """The links as a deployment shows them; that of the template with its version (recorded)."""
    found = {link: properties[link] for link in LINKS if link in properties}
    if "templateLink" in found:
        version = str(template.get("contentVersion", "1.0.0.0"))
        found["templateLink"] = {"contentVersion": version, **found["templateLink"]}
    return found


def _key(uri: object) -> str:
    """A query holds a signature, as a rule, and is not shown again."""
    return str(uri).partition("?")[0]
