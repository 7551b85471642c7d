"""One emulator's whole state: what exists, what is under way, and what time and chance are."""

from __future__ import annotations

import random
import uuid
from typing import Any

from . import errors, regions
from .addresses import AddressBook, LoopbackAddresses
from .arm import Json
from .durations import Durations
from .machines import MachineHost
from .operations import Operations
from .settings import ServerSettings
from .store import Group, Resource, Store


class Emulator:
    def __init__(self, settings: ServerSettings, machines: MachineHost) -> None:
        self.settings = settings
        self.machines = machines
        self._random = random.Random(settings.seed)  # noqa: S311 - simulation, not secrecy
        self.store = Store(self.new_uuid())
        self.durations = Durations(settings.seed, settings.time_scale)
        self.operations = Operations(settings.time_scale, self.new_uuid)
        self.addresses = LoopbackAddresses()
        self.private_addresses = AddressBook()

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new_hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def new_resource(self, group: Group, kind: str, name: str, body: Json) -> Resource:
        """A resource of the checked body; it is not stored yet."""
        return Resource(
            type=kind,
            id=self.store.resource_id(group, kind, name),
            name=name,
            group=group.name,
            location=regions.normal(body.get("location"), kind),
            tags=body.get("tags"),
            properties={},
        )

    def check_same_location(self, existing: Resource, body: Json) -> None:
        location = regions.normal(body.get("location"), existing.type)
        if location != existing.location:
            raise errors.location_changed(
                existing.name, existing.group, existing.location, location
            )


def merged_tags(body: Json, old: dict[str, str] | None) -> dict[str, str] | None:
    """PATCH replaces all tags when it names any, as Azure's resource providers do."""
    tags: Any = body.get("tags")
    return dict(tags) if isinstance(tags, dict) else old
