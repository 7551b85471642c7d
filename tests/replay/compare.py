"""What must be alike: the status, the names of headers, the structure of the body's keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import foreign
from .sessions import SERVED, Exchange, is_list, resource_type

# These say what a client has to do next: none may be missing, and none added.
MEANINGFUL = {"location", "azure-asyncoperation", "azure-asyncnotification", "retry-after", "etag"}
# Of the transport, of the recording's own time, or of a cache on its way.
IGNORED = {
    *("content-length", "transfer-encoding", "connection", "keep-alive", "vary", "server"),
    *("content-encoding", "accept-ranges", "via", "x-cache", "x-msedge-ref", "date", "age"),
    *("set-cookie", "x-powered-by", "x-aspnet-version", "x-content-type-options", "p3p"),
    *("strict-transport-security", "x-ms-client-request-id", "return-client-request-id"),
}

RATE = "x-ms-ratelimit-remaining-subscription-"
POLICY_TAGS = ("platformsettings.", "azsecpack", "AzSecPack")


def differences(recorded: Exchange, status: int, headers: dict[str, str], body: Any) -> list[str]:
    """In words to count by; empty if all is alike."""
    if status != recorded.status:
        code = body["error"]["code"] if isinstance(body, dict) and "error" in body else ""
        return [f"status {status} {code} instead of {recorded.status} {_code(recorded.answer)}"]
    found = list(_header_differences(recorded, headers))
    if recorded.method != "HEAD":
        in_body = _body_differences(recorded.answer, body)
        if is_list(recorded.path) and recorded.method == "GET":
            in_body = [word for word in in_body if not _by_others(word, recorded.path)]
        found += in_body
    return found


def _by_others(difference: str, path: str) -> bool:
    """What a list lacks because only Azure holds what others made in the subscription."""
    in_group = "/resourcegroups/" in path.lower()
    return difference == "-nextLink" or (not in_group and difference.startswith("-value[]."))


def _code(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code")) if isinstance(error, dict) else ""


def _header_differences(recorded: Exchange, headers: dict[str, str]) -> Iterator[str]:
    unknown = IGNORED | ({"retry-after"} if _retry_after_unknown(recorded) else set())
    wanted = set(recorded.headers) - unknown
    if RATE + "deletes" in headers:  # which ARM once counted as writes
        wanted.discard(RATE + "writes")
    for name in sorted(wanted - set(headers)):
        yield f"no header {name}"
    for name in sorted((set(headers) & MEANINGFUL) - unknown - wanted):
        yield f"header {name} added"


def _retry_after_unknown(recorded: Exchange) -> bool:
    """Some recorders set it to 0 in every answer; some drop it, and all request ids with it."""
    return recorded.headers.get("retry-after") == "0" or "x-ms-request-id" not in recorded.headers


# Members in which a resource shows who uses it.
USERS = {
    *("ipConfigurations", "ipConfiguration", "applicationGatewayIPConfigurations"),
    *("privateEndpoints", "serviceAssociationLinks", "networkInterfaces", "privateEndpoint"),
    *("loadBalancerBackendAddressPools", "loadBalancerInboundNatRules"),
    "applicationGatewayBackendAddressPools",
}


def without_strangers(value: Any) -> Any:
    """Without the users of a resource that are of a type which the emulator does not have."""
    if isinstance(value, list):
        return [without_strangers(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        if name in USERS and isinstance(item, list):
            item = [user for user in item if not _is_strange(user)]
            if not item and value[name]:
                continue
        elif name in USERS and _is_strange(item):
            continue
        kept[name] = without_strangers(item)
    if "ipConfiguration" in value.keys() - kept.keys() and _is_dynamic(value):
        kept.pop("ipAddress", None)  # it came with that user
    return kept


def _is_dynamic(public_ip: Any) -> bool:
    return bool(public_ip.get("publicIPAllocationMethod") == "Dynamic")


def _is_strange(user: Any) -> bool:
    identifier = user.get("id") if isinstance(user, dict) else None
    if not isinstance(identifier, str) or "/providers/" not in identifier:
        return False
    parts = resource_type(identifier).split("/")
    return "/".join(parts[:2]) not in SERVED


def _body_differences(recorded: Any, body: Any) -> list[str]:
    if (recorded is None) != (body is None):
        return ["no body" if body is None else "a body where there was none"]
    recorded, body = without_strangers(recorded), without_strangers(body)
    recorded, body = foreign.without(recorded), foreign.without(body)
    wanted, shown = keys(recorded), keys(body)
    unknowable = empty_lists(recorded) | empty_lists(body) | _policy_tags(recorded)
    found = [f"-{path}" for path in sorted(wanted - shown)]
    found += [f"+{path}" for path in sorted(shown - wanted)]
    return [word for word in found if not any(word[1:].startswith(p) for p in unknowable)]


def _policy_tags(recorded: Any) -> set[str]:
    """Tags that a policy of the recording's subscription added to what was sent."""
    tags = recorded.get("tags") if isinstance(recorded, dict) else None
    added = tags and all(name.startswith(POLICY_TAGS) for name in tags)
    return {"tags"} if added else set()


# Keys that are names of the user's choice.
FREE = {"tags", "userAssignedIdentities", "outputs", "parameters"}


def keys(value: Any, path: str = "") -> set[str]:
    """All key paths, the items of a list taken together."""
    if isinstance(value, list):
        return set().union(*(keys(item, f"{path}[]") for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        found.add(here)
        if name not in FREE:
            found |= keys(item, here)
    return found


def empty_lists(value: Any, path: str = "") -> set[str]:
    """The paths of lists in which nothing can be compared."""
    if isinstance(value, list):
        here = f"{path}[]"
        return set().union(*(empty_lists(item, here) for item in value)) if value else {here}
    if not isinstance(value, dict):
        return set()
    return set().union(
        set(),
        *(empty_lists(item, f"{path}.{name}" if path else name) for name, item in value.items()),
    )
