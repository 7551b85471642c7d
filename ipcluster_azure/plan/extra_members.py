"""What users add to request bodies, for what no setting covers. Pure."""

from collections.abc import Mapping
from typing import Any

from .resource_types import Json
from .template_language import literal


def merged(body: Json, extra: Mapping[str, Any]) -> Json:
    """Return a body with more members: dictionaries are merged at any depth, all else is replaced.

    Names that differ in case alone are the same to Azure; the body's own spelling stays. Texts are
    taken as they are: they are no template expressions.
    """
    spelling = {name.lower(): name for name in body}
    result = dict(body)
    for name, value in extra.items():
        own = spelling.get(name.lower(), name)
        both = isinstance(value, Mapping) and isinstance(body.get(own), dict)
        result[own] = merged(body[own], value) if both else _as_it_is(value)
    return result


def _as_it_is(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _as_it_is(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_it_is(item) for item in value]
    return literal(value) if isinstance(value, str) else value
