"""The scopes that roles, locks and tags are attached to: the subscription, a group, a resource."""

from __future__ import annotations

from ..base.messages import ArmRequest
from ..state import Emulator


def of_request(em: Emulator, request: ArmRequest, *, writable: bool = False) -> str:
    """Return the id of what an extension in the path is on; raises 404 if it doesn't exist."""
    part = request.params
    if "group" not in part:
        return f"/subscriptions/{em.store.subscription_id}"
    group = (em.store.writable_group if writable else em.store.group)(part["group"])
    if "kind" not in part:
        return group.id
    kind = f"{part['namespace']}/{part['kind']}"
    return em.store.get(group.name, kind, part["name"]).id


def within(one: str, other: str) -> bool:
    """Return whether one of two scopes in lower case lies in the other, or is the same."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
