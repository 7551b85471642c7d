"""Which members the bodies of Azure's requests have, as the models of the installed SDK say.

They are at least as new as the API versions that are asked. Importing them costs nothing more: the
client for machines has done so.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, ForwardRef, get_args, get_origin

VIRTUAL_MACHINE, SCALE_SET = "VirtualMachine", "VirtualMachineScaleSet"
NETWORK_INTERFACE = "VirtualMachineScaleSetNetworkConfiguration"  # of a scale set's machines
MODEL = re.compile(r"(?:_models\.)?(\w+)")


def unknown_member(model: str, body: Any) -> tuple[str, str]:
    """Return the path of the first member that Azure doesn't know, and the name nearest to its own.

    Both are empty if there is none, or the nearest alone. `body` is the part of a request that the
    model named `model` describes. What is no mapping is left to Azure.
    """
    known = dict(_members(model))
    if not known or not isinstance(body, Mapping):
        return "", ""
    by_lower = {name.lower(): name for name in known}
    for name, value in body.items():
        own = by_lower.get(name.lower())
        if own is None:
            close = difflib.get_close_matches(name.lower(), by_lower, n=1)
            return name, by_lower[close[0]] if close else ""
        for index, item in _described(known[own], value):
            path, nearest = unknown_member(_model_name(known[own]), item)
            if path:
                return f"{own}{index}.{path}", nearest
    return "", ""


def _members(model: str) -> Iterator[tuple[str, Any]]:
    """Yield a model's members by their names in JSON, with their annotations; none of a name that
    is no model's."""
    from azure.mgmt.compute import models

    for base in getattr(getattr(models, model, None), "__mro__", ()):
        for attribute, annotation in vars(base).get("__annotations__", {}).items():
            field = vars(base).get(attribute)
            if type(field).__name__ == "_RestField":
                yield getattr(field, "_rest_name_input", None) or attribute, annotation


def _described(annotation: Any, value: Any) -> list[tuple[str, Any]]:
    """What of a value a model describes, each with its index: all items of a list, nothing of a
    dictionary whose names anybody may choose, else the value itself."""
    kinds = {get_origin(part) for part in (annotation, *get_args(annotation))}
    if dict in kinds:
        return []
    if list in kinds:
        items = value if isinstance(value, list | tuple) else ()
        return [(f"[{number}]", item) for number, item in enumerate(items)]
    return [("", value)]


def _model_name(annotation: Any) -> str:
    """The name of the model in an annotation such as Optional["_models.OSDisk"]; else empty."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        match = MODEL.fullmatch(annotation)
        return match[1] if match else ""
    return next(filter(None, map(_model_name, get_args(annotation))), "")
