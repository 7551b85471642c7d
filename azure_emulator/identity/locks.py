"""Microsoft.Authorization/locks of the subscription, a group or a resource."""

from __future__ import annotations

import re

from ..base.errors import GATEWAY, ArmError
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import LOCK
from ..base.schema import check_management, write_to
from ..base.store import Extension
from ..state import Emulator
from . import scopes

NAME = re.compile(r"[^<>%&:\\?/]{1,260}")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    scope = scopes.of_request(em, request, writable=True)
    name = request.params["lock"]
    if not NAME.fullmatch(name):
        raise ArmError(
            400, "InvalidLockName", f"The lock name '{name}' is not valid.", headers=GATEWAY
        )
    identifier = _identifier(em, request)
    existing = em.store.extensions.get(identifier.lower())
    body = check_management("ManagementLock", request.json_object(), write_to(existing))
    properties = body["properties"]
    if properties["level"] == "NotSpecified":
        raise ArmError(
            400,
            "InvalidLockLevel",
            "The lock level must be 'CanNotDelete' or 'ReadOnly'.",
            headers=GATEWAY,
        )
    lock = Extension(LOCK, identifier, name, {**properties, "scope": scope})
    em.store.extensions[lock.key] = lock
    return ArmResponse(200 if existing else 201, _shown(lock))


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    lock = em.store.extensions.get(_identifier(em, request).lower())
    if lock is None:
        raise ArmError(
            404,
            "LockNotFound",
            f"The lock '{request.params['lock']}' could not be found.",
            headers=GATEWAY,
        )
    return ArmResponse(200, _shown(lock))


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    lock = em.store.extensions.pop(_identifier(em, request).lower(), None)
    return ArmResponse(204 if lock is None else 200)


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the locks at the scope, at what it is in, and at what is in it.

    With $filter=atScope() those of what is in it are left out.
    """
    scope = scopes.of_request(em, request).lower()
    found = [lock for lock in em.store.extensions.values() if lock.type == LOCK]
    found = [lock for lock in found if scopes.within(_scope(lock), scope)]
    if "atscope()" in request.query.get("$filter", "").lower():
        found = [lock for lock in found if f"{scope}/".startswith(f"{_scope(lock)}/")]
    return page([_shown(lock) for lock in found])


def _scope(lock: Extension) -> str:
    return str(lock.properties["scope"]).lower()


def _identifier(em: Emulator, request: ArmRequest) -> str:
    scope = scopes.of_request(em, request)
    return f"{scope}/providers/{LOCK}/{request.params['lock']}"


def _shown(lock: Extension) -> Json:
    properties = {name: value for name, value in lock.properties.items() if name != "scope"}
    return {"properties": properties, "id": lock.id, "type": LOCK, "name": lock.name}
