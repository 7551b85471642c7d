"""The contents of templateLink and parametersLink.

The emulator opens no connections of its own, so what a link leads to is declared beforehand.
"""

from __future__ import annotations

from ..base import errors
from ..base.declared import OBJECT, TEXT, checked
from ..base.messages import Json

LINKS = {"templateLink": "template", "parametersLink": "parameters"}
RULES = {"uri": TEXT, "content": OBJECT}


class Links:
    def __init__(self) -> None:
        self._contents: dict[str, Json] = {}

    def declare(self, body: Json) -> Json:
        """Remember what a link leads to: {"uri", "content"}, a template or a file of parameters."""
        found = checked(body, RULES, required=tuple(RULES))
        self._contents[_key(found["uri"])] = found["content"]
        return self.listed()

    def listed(self) -> Json:
        return {"links": sorted(self._contents)}

    def withdraw_all(self) -> Json:
        self._contents.clear()
        return self.listed()

    def resolve(self, properties: Json, tracking_id: str) -> Json:
        """Return a deployment's properties with the contents of its links filled in.

        Raises InvalidContentLink for a link that was not declared; tracking_id: shown in it.
        """
        found = dict(properties)
        for link, member in LINKS.items():
            if link not in properties:
                continue
            uri = properties[link].get("uri") or properties[link].get("id")
            content = self._contents.get(_key(uri))
            if content is None:
                raise _unreachable(uri, tracking_id)
            if properties.get(member):
                raise errors.invalid_content(
                    f"Only one of '{member}' and '{link}' can be given. Path 'properties'."
                )
            found[member] = content
        if "parametersLink" in properties:
            found["parameters"] = found["parameters"].get("parameters", {})
        return found


def _unreachable(uri: object, tracking_id: str) -> errors.ArmError:
    return errors.ArmError(
        400,
        "InvalidContentLink",
        f"Unable to download deployment content from '{uri}'. The tracking Id is '{tracking_id}'. "
        "Please see https://aka.ms/arm-deploy for usage details. (This local endpoint downloads "
        "nothing: send the template itself, or declare the link.)",
        headers=errors.GATEWAY,
    )


def _key(uri: object) -> str:
    """Return the link without its query, which usually holds a signature and is never shown."""
    return str(uri).partition("?")[0]
