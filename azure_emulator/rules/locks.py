"""Management locks: what they forbid, whoever asks. identity/locks.py has the requests on them."""

from __future__ import annotations

from ..base.calls import Call
from ..base.errors import GATEWAY, ArmError
from ..base.resource_types import LOCK
from ..base.store import Extension, Store

CHANGES = ("PUT", "PATCH", "POST")
# POST requests that only look.
READING = ("whatIf", "validate", "exportTemplate")


def check(store: Store, call: Call) -> None:
    """Refuse a call that a lock on its scope, on what that is in, or within it forbids."""
    if call.method in ("GET", "HEAD") or call.resource_type.lower() == LOCK.lower():
        return
    word = call.action.rsplit("/", 2)[-2]
    if call.method == "POST" and word.lower() in {name.lower() for name in READING}:
        return
    deletes = call.method == "DELETE"
    found = [
        lock
        for lock in store.extensions.values()
        if lock.type == LOCK and _forbids(lock, call.scope, deletes)
    ]
    if found:
        scopes = ",".join(sorted({str(lock.properties["scope"]) for lock in found}))
        verb = "delete" if deletes else "write"
        raise ArmError(
            409,
            "ScopeLocked",
            f"The scope '{call.scope}' cannot perform {verb} operation because following scope(s) "
            f"are locked: '{scopes}'. Please remove the lock and try again.",
            headers=GATEWAY,
        )


def _forbids(lock: Extension, scope: str, deletes: bool) -> bool:
    if not deletes and lock.properties["level"] != "ReadOnly":
        return False
    locked, asked = (f"{text}/".lower() for text in (str(lock.properties["scope"]), scope))
    # A deletion takes along what is below.
    return asked.startswith(locked) or (deletes and locked.startswith(asked))
