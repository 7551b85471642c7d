"""What policies of a recording's subscription added to its resources, and no request asked for."""

from __future__ import annotations

from typing import Any

EXTENSIONS = ("Microsoft.Azure.Security.AntimalwareSignature", "Microsoft.Azure.Geneva")
# Lists of extensions, as models, machines and instance views name them.
LISTS = ("extensions", "resources", "extensionHandlers")


def without(answer: Any) -> Any:
    """The answer as it would be elsewhere; what holds nothing else goes, too."""
    if isinstance(answer, list):
        return [without(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    kept = {}
    for name, item in answer.items():
        if name in LISTS and isinstance(item, list):
            own = [entry for entry in item if not _is_foreign(entry)]
            if own or not item or name == "extensionHandlers":
                kept[name] = without(own)
        elif name != "extensionProfile" or without(item):
            kept[name] = without(item)
    return kept


def _is_foreign(entry: Any) -> bool:
    names = (entry.get("name"), entry.get("type")) if isinstance(entry, dict) else ()
    return any(str(name).startswith(EXTENSIONS) for name in names)
