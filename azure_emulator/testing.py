"""For test suites: what the emulator shall do to them, for the time of a `with` block.

For example:

    from azure_emulator import client, testing

    info = client.start(directory, machines="none")
    with testing.faults(info, testing.fault("refuse", type="*/virtualMachines", status=503)) as met:
        ...
    assert met.fired == [1]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import client
from .client import EmulatorInfo

Json = dict[str, Any]


class DeclaredFaults:
    """The declared faults. fired, matched: how often each did; still right after the block."""

    def __init__(self, info: EmulatorInfo, identifiers: list[str]) -> None:
        self._info = info
        self._identifiers = identifiers
        self._last: list[Json] | None = None

    @property
    def fired(self) -> list[int]:
        return [int(fault["fired"]) for fault in self._shown()]

    @property
    def matched(self) -> list[int]:
        return [int(fault["matched"]) for fault in self._shown()]

    def _shown(self) -> list[Json]:
        if self._last is not None:
            return self._last
        by_id = {fault["id"]: fault for fault in client.faults(self._info)}
        return [by_id[identifier] for identifier in self._identifiers]

    def withdraw(self) -> None:
        self._last = self._shown()
        for identifier in self._identifiers:
            client.withdraw_fault(self._info, identifier)


def fault(kind: str, **members: Any) -> Json:
    """Return one declaration; its members are those of `POST /emulator/faults`."""
    return {"kind": kind, **members}


@contextmanager
def faults(info: EmulatorInfo, *declarations: Json) -> Iterator[DeclaredFaults]:
    identifiers: list[str] = []
    declared = DeclaredFaults(info, identifiers)
    try:
        for declaration in declarations:
            identifiers.append(client.declare_fault(info, **declaration))
        yield declared
    finally:
        declared.withdraw()


@contextmanager
def restricted(
    info: EmulatorInfo, actions: list[str], not_actions: list[str] | None = None
) -> Iterator[None]:
    """For the block, let whoever uses the emulator's token file do only that."""
    client.restrict(info, actions, not_actions)
    try:
        yield
    finally:
        client.lift_restriction(info)


@contextmanager
def policy(info: EmulatorInfo, name: str, condition: Json, **members: Any) -> Iterator[None]:
    """For the block, deny writes of resources for which Azure Policy's condition holds."""
    client.declare_policy(info, name, condition, **members)
    try:
        yield
    finally:
        client.withdraw_policy(info, name)


@contextmanager
def throttling(info: EmulatorInfo) -> Iterator[None]:
    """For the block, refuse too many requests, as Azure does."""
    client.throttle(info, on=True)
    try:
        yield
    finally:
        client.throttle(info, on=False)


@contextmanager
def page_size(info: EmulatorInfo, items: int) -> Iterator[None]:
    """For the block, let lists come in small pages."""
    client.set_page_size(info, items)
    try:
        yield
    finally:
        client.set_page_size(info, None)


@contextmanager
def quota(info: EmulatorInfo, name: str, limit: int, location: str = "*") -> Iterator[None]:
    """For the block, set a smaller quota, by the name that usages give it."""
    client.set_quota(info, name, limit, location)
    try:
        yield
    finally:
        client.withdraw_quotas(info)


@contextmanager
def restricted_sizes(info: EmulatorInfo, *restrictions: dict[str, str]) -> Iterator[None]:
    """For the block, refuse VM sizes to the subscription, everywhere or in places."""
    client.restrict_sizes(info, list(restrictions))
    try:
        yield
    finally:
        client.lift_size_restrictions(info)
