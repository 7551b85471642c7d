"""A deployment of a template, and the steps it takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from ..base.store import Group
from ..rules.operations import Operation
from ..templates.expand import Planned
from ..templates.plan import Plan

Json = dict[str, Any]
ACTIVE = ("Accepted", "Running")


@dataclass
class Step:
    """One line of a deployment's operations. status_code: an HTTP status by its name."""

    id: str
    kind: str
    tracking_id: str
    started: datetime
    changed: datetime
    target: Planned | None = None
    service_request_id: str = ""
    state: str = "Running"
    status_code: str = "OK"
    message: Json | None = None

    def end(
        self, state: str, status_code: str, moment: datetime, message: Json | None = None
    ) -> None:
        self.state, self.status_code, self.message = state, status_code, message
        self.changed = moment


@dataclass
class Deployment:
    """One deployment. operation: what its Azure-AsyncOperation shows; stop: set to cancel it."""

    id: str
    name: str
    plan: Plan
    mode: str
    correlation_id: str
    started: datetime
    changed: datetime
    location: str
    tags: dict[str, str] | None = None
    links: Json = field(default_factory=dict)
    operation: Operation | None = None
    state: str = "Accepted"
    steps: list[Step] = field(default_factory=list)
    outputs: Json = field(default_factory=dict)
    error: Json | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def become(self, state: str, moment: datetime) -> None:
        self.state, self.changed = state, moment


def of_group(group: Group) -> dict[str, Deployment]:
    """Return the group's deployments by name in lower case, the newest last.

    The group holds them, untyped, because it is further down: nobody else reads or writes them.
    """
    return cast("dict[str, Deployment]", group.deployments)
