"""What exists in the subscription: resource groups and resources, found in any case."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import errors

Json = dict[str, Any]


@dataclass
class Resource:
    """One resource as ARM shows it, and `hidden`: what it must never show (customData, passwords).

    top: further members beside properties, such as sku, zones and identity. nested: it is part of
    another resource, such as a Uniform scale set's machine: its id begins with that one's, no list
    of its type shows it, and another resource may have its name.
    """

    type: str
    id: str
    name: str
    group: str
    location: str
    tags: dict[str, str] | None
    properties: Json
    new_etag: Callable[[], str] = field(repr=False, compare=False)
    top: Json = field(default_factory=dict)
    hidden: Json = field(default_factory=dict)
    etag: str = ""
    deleting: bool = False
    nested: bool = False

    def touch(self) -> None:
        """Give the resource a new etag, as every write does."""
        self.etag = self.new_etag()

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def place(self) -> tuple[str, str]:
        """The key under which its group holds it."""
        return self.type.lower(), self.key if self.nested else self.name.lower()


@dataclass
class Extension:
    """A resource that belongs to another one or a group and goes with it, as a role assignment."""

    type: str
    id: str
    name: str
    properties: Json

    @property
    def key(self) -> str:
        return self.id.lower()


@dataclass
class Group:
    id: str
    name: str
    location: str
    tags: dict[str, str] | None
    resources: dict[tuple[str, str], Resource] = field(default_factory=dict)
    state: str = "Succeeded"
    managed_by: str | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    # The room deployments keeps its records here: what becomes of the group becomes of them.
    deployments: dict[str, object] = field(default_factory=dict)

    @property
    def deleting(self) -> bool:
        return self.state == "Deleting"


class Store:
    def __init__(self, subscription_id: str) -> None:
        self.subscription_id = subscription_id
        self._groups: dict[str, Group] = {}
        self._by_id: dict[str, Resource] = {}
        self.forget()

    def forget(self) -> None:
        """Forget what is the subscription's own; its groups are not forgotten, but deleted."""
        # It holds deployments as a group does, and has no name.
        self.root = Group(f"/subscriptions/{self.subscription_id}", "", "", None)
        self.tags: dict[str, str] = {}
        self.extensions: dict[str, Extension] = {}  # by key
        self.declared_tags: dict[str, set[str]] = {}  # name -> values, used or not
        self.registrations: dict[str, str] = {}  # namespace -> state, where it was ever changed

    # Groups

    def groups(self) -> list[Group]:
        return list(self._groups.values())

    def find_group(self, name: str) -> Group | None:
        return self._groups.get(name.lower())

    def group(self, name: str) -> Group:
        found = self.find_group(name)
        if found is None:
            raise errors.group_not_found(name)
        return found

    def writable_group(self, name: str) -> Group:
        found = self.group(name)
        if found.deleting:
            raise errors.group_being_deleted(found.name)
        return found

    def add_group(self, name: str, location: str, tags: dict[str, str] | None) -> Group:
        identifier = f"/subscriptions/{self.subscription_id}/resourceGroups/{name}"
        group = Group(identifier, name, location, tags)
        self._groups[name.lower()] = group
        return group

    def remove_group(self, group: Group) -> None:
        for resource in list(group.resources.values()):
            self.remove(resource)
        self._groups.pop(group.name.lower(), None)
        self._drop_extensions(group.id)

    # Resources

    def resource_id(self, group: Group, resource_type: str, name: str) -> str:
        return f"{group.id}/providers/{resource_type}/{name}"

    def find(self, identifier: object) -> Resource | None:
        return self._by_id.get(identifier.lower()) if isinstance(identifier, str) else None

    def lookup(self, group_name: str, resource_type: str, name: str) -> Resource | None:
        group = self.find_group(group_name)
        return group.resources.get((resource_type.lower(), name.lower())) if group else None

    def get(self, group_name: str, resource_type: str, name: str) -> Resource:
        """Return the resource; raises ARM's 404 for the group or for the resource."""
        group = self.group(group_name)
        found = group.resources.get((resource_type.lower(), name.lower()))
        if found is None:
            raise errors.resource_not_found(resource_type, name, group_name)
        return found

    def add(self, resource: Resource) -> None:
        group = self._groups[resource.group.lower()]
        group.resources[resource.place] = resource
        self._by_id[resource.key] = resource

    def remove(self, resource: Resource) -> None:
        """Remove the resource if it is still there: a new one that took its name stays."""
        if self._by_id.get(resource.key) is not resource:
            return
        del self._by_id[resource.key]
        self._drop_extensions(resource.id)
        group = self._groups[resource.group.lower()]
        group.resources.pop(resource.place, None)

    def all(self, resource_type: str, group_name: str | None = None) -> Iterator[Resource]:
        """Yield the resources of a type, of a group (404 if it is missing) or the subscription."""
        wanted = resource_type.lower()
        groups = self.groups() if group_name is None else [self.group(group_name)]
        for group in groups:
            for (kind, _), resource in list(group.resources.items()):
                if kind == wanted:
                    yield resource

    def _drop_extensions(self, identifier: str) -> None:
        prefix = f"{identifier}/".lower()
        for key in [key for key in self.extensions if key.startswith(prefix)]:
            del self.extensions[key]

    def listed(self, resource_type: str, group_name: str | None = None) -> Iterator[Resource]:
        """Yield what all() does, without what is part of another resource."""
        return (item for item in self.all(resource_type, group_name) if not item.nested)
