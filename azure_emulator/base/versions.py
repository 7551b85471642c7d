"""Which members of a body an api-version shows: what is newer or older than it is left out.

A table names a member by its path, the items of a list taken together ("properties.subnets.type"),
and the api-versions that show it. What no table names is shown by all.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from . import versions_compute, versions_network, versions_resources
from .version_windows import Table, Windows

Json = dict[str, Any]
Tree = dict[str, Any]

TABLES: Mapping[str, Table] = {
    **versions_resources.TABLES,
    **versions_network.TABLES,
    **versions_compute.TABLES,
}


def shown(kind: str, api_version: str, body: Json) -> Json:
    """Return the body without what the api-version does not show.

    The body itself stays as it is: what is changed is copied first.
    """
    hidden = _hidden(kind, api_version)
    return _without(body, hidden) if hidden else body


def includes(windows: Windows, api_version: str) -> bool:
    """Return whether the windows include the api-version; a preview counts by its date."""
    day = api_version[:10]
    return any(first <= day and (not last or day <= last) for first, last in windows)


@functools.lru_cache(maxsize=1024)
def _hidden(kind: str, api_version: str) -> Tree:
    """Return the hidden members as a tree, in which an empty branch is a member that goes."""
    tree: Tree = {}
    hidden = [
        path for path, windows in TABLES.get(kind, {}).items() if not includes(windows, api_version)
    ]
    # Backwards: a member that goes whole empties what its parts have set.
    for path in sorted(hidden, reverse=True):
        branch = tree
        *parents, leaf = path.split(".")
        for name in parents:
            branch = branch.setdefault(name, {})
        branch[leaf] = {}
    return tree


def _without(value: Any, hidden: Tree) -> Any:
    if isinstance(value, list):
        return [_without(item, hidden) for item in value]
    if not isinstance(value, dict):
        return value
    kept = dict(value)
    for name, branch in hidden.items():
        if name not in kept:
            continue
        if branch:
            kept[name] = _without(kept[name], branch)
        else:
            del kept[name]
    return kept


# Until spring 2018 Azure showed deletions among the writes (as recorded): last such api-version.
DELETES_SHOWN_AS_WRITES = {
    "microsoft.network": "2018-02-01",
    "microsoft.compute": "2017-12-01",
    "": "2016-09-01",
}
# The oldest versions, which were recorded only after that.
KNOWN_FROM_LATER = ("2015-05-01-preview", "2015-06-15")


def word_for_deletes(path: str, api_version: str) -> str:
    """Return the word for deletions in the headers that count how many requests are left."""
    _, _, provider = path.lower().rpartition("/providers/")
    namespace = provider.split("/")[0] if provider != path.lower() else ""
    if api_version in KNOWN_FROM_LATER:
        return "deletes"
    last = DELETES_SHOWN_AS_WRITES.get(namespace, "")
    return "writes" if api_version <= last else "deletes"
