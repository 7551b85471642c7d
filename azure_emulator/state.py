"""One emulator's whole state: what exists, what is under way, and what time and chance are."""

from __future__ import annotations

import random
import secrets
import uuid
from typing import Any, Protocol

from .base import clock, errors, regions
from .base.calls import Call
from .base.durations import Durations
from .base.messages import ArmRequest, ArmResponse, Json
from .base.random_streams import Chance
from .base.store import Group, Resource, Store
from .guest.addresses import AddressBook, Addresses, LoopbackAddresses, NamespaceAddresses
from .guest.machine_interface import AccountedMachines, MachineHost
from .rules.faults import Faults
from .rules.metadata_urls import MetadataUrls
from .rules.operations import Operations
from .rules.paging import Paging
from .rules.permissions import Permissions
from .rules.policies import Policies
from .rules.scheduled_events import ScheduledEvents
from .rules.sku_restrictions import Restriction
from .rules.template_links import Links
from .rules.throttling import Throttle
from .server_options import ServerSettings


class Router(Protocol):
    """The way from a request to the function that answers it: front/dispatch.py hands it in.

    Deployments ask the resource providers in this way, as a user's request would.
    """

    def describe(self, method: str, path: str) -> Call:
        """Return what such a request would do; raises ARM's refusal of a path nobody serves."""

    async def answer(self, em: Emulator, request: ArmRequest) -> ArmResponse:
        """Carry the request out; raises ArmError. request.params are filled in by the router."""


class Emulator:
    def __init__(self, settings: ServerSettings, machines: MachineHost, router: Router) -> None:
        self.settings = settings
        self.router = router
        self.clock = clock.make(settings.clock, settings.time_scale)
        self.machines = AccountedMachines(machines, self.clock)
        self.chance = Chance(settings.seed)
        self._names = self.chance.stream("names")
        self._etags = self.chance.stream("etags")
        self.store = Store(self.new_uuid())
        self.durations = Durations(self.chance.stream("durations"))
        self.operations = Operations(self.clock, self.new_uuid, self.machines.refresh)
        self.permissions = Permissions(self.clock, self.new_uuid(), self.new_uuid())
        self.throttle = Throttle(self.clock, self.store.subscription_id, on=settings.throttle)
        self.paging = Paging()
        self.policies = Policies(self.store)
        self.faults = Faults(self.clock, self.chance.stream("faults"))
        self.addresses = self._addresses()
        self.private_addresses = AddressBook()
        self.sku_restrictions: list[Restriction] = []
        self.quotas: dict[tuple[str, str], int] = {}  # (location or *, name) -> limit
        self.accepted_terms: set[tuple[str, str, str]] = set()  # publisher, offer, plan
        self.links = Links()
        self.metadata = MetadataUrls()
        self.blob_key = secrets.token_bytes(32)  # signs URLs of blobs
        self.scheduled_events = ScheduledEvents(self.clock, self.new_uuid)

    def new_uuid(self) -> str:
        return _uuid(self._names)

    def new_hex(self, digits: int) -> str:
        return f"{self._names.getrandbits(4 * digits):0{digits}x}"

    def _addresses(self) -> Addresses:
        """Return where addresses come from; drawn from this emulator's seed only without machines.

        Machines on the loopback take addresses and a port of this computer, which no other emulator
        may have.
        """
        if self.settings.machines == "nspawn":
            return NamespaceAddresses()
        stream = self.chance.stream("addresses") if self.settings.machines == "none" else None
        return LoopbackAddresses(stream)

    def new_resource(
        self, group: Group, kind: str, name: str, body: Json, nested_id: str | None = None
    ) -> Resource:
        """Return a resource of the checked body; it is not stored yet."""
        return Resource(
            type=kind,
            id=nested_id or self.store.resource_id(group, kind, name),
            nested=nested_id is not None,
            name=name,
            group=group.name,
            location=regions.normal(body.get("location"), kind),
            tags=body.get("tags"),
            properties={},
            new_etag=lambda: f'W/"{_uuid(self._etags)}"',
        )

    def check_same_location(self, existing: Resource, body: Json) -> None:
        location = regions.normal(body.get("location"), existing.type)
        if location != existing.location:
            raise errors.location_changed(
                existing.name, existing.group, existing.location, location
            )


def _uuid(stream: random.Random) -> str:
    return str(uuid.UUID(int=stream.getrandbits(128), version=4))


def merged_tags(body: Json, old: dict[str, str] | None) -> dict[str, str] | None:
    """Return the tags after a PATCH, which replaces all of them when it names any."""
    tags: Any = body.get("tags")
    return dict(tags) if isinstance(tags, dict) else old
