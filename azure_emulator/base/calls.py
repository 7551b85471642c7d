"""What a request would do, in Azure's terms: the action, and the resource it is about."""

from __future__ import annotations

from dataclasses import dataclass

METHOD_VERBS = {"PUT": "write", "PATCH": "write", "GET": "read", "HEAD": "read", "DELETE": "delete"}


@dataclass(frozen=True)
class Call:
    """One request on one resource.

    action: as roles name it, such as Microsoft.Compute/virtualMachines/write; resource_type: such
    as Microsoft.Compute/virtualMachines; name: the resource's own, empty for a list; scope: the
    path without an action such as start.
    """

    method: str
    action: str
    resource_type: str
    name: str
    scope: str


def describe(method: str, template: str, path: str) -> Call:
    """Return what a request on `path` would do, in Azure's terms.

    template: the path of the route that answers it, with {parts} in the place of names.
    """
    known, given = template.strip("/").split("/"), path.strip("/").split("/")
    namespace, first = _namespace(known, given)
    rest = len(known) - first
    # Roles write it so, whatever the path does.
    kinds = [kind if kind != "resourceGroups" else "resourcegroups" for kind in known[first::2]]
    scope = "/" + "/".join(given)
    if method == "POST":
        verb = f"{kinds.pop()}/action"
        given, rest = given[:-1], rest - 1
        scope = "/" + "/".join(given)
    else:
        verb = METHOD_VERBS.get(method, method.lower())
    resource_type = "/".join([namespace, *kinds])
    name = given[-1] if rest % 2 == 0 and rest > 0 else ""
    return Call(method, f"{resource_type}/{verb}", resource_type, name, scope)


def _namespace(known: list[str], given: list[str]) -> tuple[str, int]:
    """Return the resource provider, and the position in the path where its types begin.

    What has no provider in its path is ARM's own.
    """
    if "providers" in known:
        at = len(known) - 1 - known[::-1].index("providers")
        if at + 2 < len(known):
            return given[at + 1], at + 2
    return "Microsoft.Resources", 0
