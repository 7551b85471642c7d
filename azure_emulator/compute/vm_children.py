"""What lies in a virtual machine by a name of its own: its extensions, its managed run commands."""

from __future__ import annotations

from typing import Generic, TypeVar

from ..base import errors
from ..base.messages import ArmRequest, Json
from ..base.resource_types import VM
from ..base.store import Resource
from ..state import Emulator

T = TypeVar("T")


def vm_of(em: Emulator, request: ArmRequest) -> Resource:
    """Return the VM in whose path the request is; raises Azure's refusal if there is none."""
    return em.store.get(request.params["group"], VM, request.params["name"])


def writable_vm_of(em: Emulator, request: ArmRequest) -> Resource:
    """Return the VM that the request would change: not in a group that is being deleted."""
    em.store.writable_group(request.params["group"])
    return vm_of(em, request)


class Children(Generic[T]):
    """All of one kind. T: what is kept of each.

    kind: as in paths, such as extensions; parameter: what routes call the name in a path; left_out:
    properties that are never shown.
    """

    def __init__(self, kind: str, parameter: str, left_out: tuple[str, ...]) -> None:
        self._kind, self._parameter, self._left_out = kind, parameter, left_out

    def of(self, vm: Resource) -> dict[str, T]:
        """Return the VM's own, by their names in lower case; who changes this changes the VM."""
        found: dict[str, T] = vm.hidden.setdefault(self._kind, {})
        return found

    def find(self, vm: Resource, request: ArmRequest) -> T | None:
        return self.of(vm).get(self.key(request))

    def require(self, vm: Resource, request: ArmRequest) -> T:
        """Return the one that the request names; raises Azure's refusal if there is none."""
        found = self.find(vm, request)
        if found is None:
            name = f"{vm.name}/{self._kind}/{request.params[self._parameter]}"
            raise errors.resource_not_found(VM, name, vm.group)
        return found

    def key(self, request: ArmRequest) -> str:
        return request.params[self._parameter].lower()

    def shown(self, vm: Resource, name: str, body: Json, properties: Json) -> Json:
        """Return one as answers show it: with the body's tags, without what is never shown."""
        shown: Json = {
            "name": name,
            "id": f"{vm.id}/{self._kind}/{name}",
            "type": f"{VM}/{self._kind}",
            "location": vm.location,
        }
        if body.get("tags") is not None:
            shown["tags"] = body["tags"]
        kept = {key: item for key, item in properties.items() if key not in self._left_out}
        return {**shown, "properties": kept}


def expanded(request: ArmRequest, shown: Json, view: Json) -> Json:
    """Return `shown`, with its instance view if the request asks for that."""
    if request.query.get("$expand", "").lower() != "instanceview":
        return shown
    return {**shown, "properties": {**shown["properties"], "instanceView": view}}
