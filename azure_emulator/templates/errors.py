"""Refusals of a template or of its parameters, with the place in the template."""

from __future__ import annotations

import json
from typing import Any

from ..base.errors import GATEWAY, ArmError

Path = tuple[str | int, ...]


class TemplateError(ArmError):
    """The refusal InvalidTemplate: what is wrong, and where (additionalInfo)."""

    def __init__(self, message: str, position: int = 0, path: str = "") -> None:
        # Clients send JSON without line breaks, so everything is in line 1.
        info = {"lineNumber": int(position > 0), "linePosition": position, "path": path}
        violation = {"type": "TemplateViolation", "info": info}
        super().__init__(
            400, "InvalidTemplate", message, additional_info=[violation], headers=GATEWAY
        )


class Places:
    """Positions in the template as it would be without white space."""

    def __init__(self, template: Any) -> None:
        self._template = template

    def invalid(self, message: str, path: Path = ()) -> TemplateError:
        return TemplateError(
            f"Deployment template validation failed: '{message}'.",
            self.position(path) if path else 0,
            _shown(path) if path else "",
        )

    def at(self, path: Path) -> str:
        """Return the place as Azure puts it into messages."""
        return f"at line '1' and column '{self.position(path)}'"

    def resource(self, name: str, path: Path, reason: str) -> TemplateError:
        """Return the refusal of a resource, variable or output whose expressions are wrong."""
        return self.invalid(
            f"The template {name} {self.at(path)} is not valid: {reason}. Please see "
            "https://aka.ms/arm-functions for usage details.",
            path,
        )

    def position(self, path: Path) -> int:
        """Return where the value is known: behind it, or behind the bracket that opens it."""
        node, offset = self._template, 0
        for step in path:
            offset += 1
            if isinstance(node, dict):
                for name, item in node.items():
                    offset += len(_compact(name)) + 1
                    if name == step:
                        break
                    offset += len(_compact(item)) + 1
                node = node[step]
            else:
                offset += sum(len(_compact(item)) + 1 for item in node[:step])
                node = node[step]
        return offset + (1 if isinstance(node, (dict, list)) else len(_compact(node)))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _shown(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "properties.template" + "".join(steps)
