"""Dynamic public addresses of an interface that is changed while its machine runs."""

from __future__ import annotations

from ..base.store import Resource
from ..state import Emulator
from . import public_ips


def held_by(em: Emulator, nic: Resource) -> list[Resource]:
    """Return an interface's public addresses, dynamic or not."""
    references = [
        item["properties"].get("publicIPAddress") for item in nic.properties["ipConfigurations"]
    ]
    found = [em.store.find(reference["id"]) for reference in references if reference]
    return [public_ip for public_ip in found if public_ip]


def exchange(em: Emulator, nic: Resource, before: list[Resource]) -> None:
    """Give and take dynamic addresses after a change: only running machines have them."""
    now = held_by(em, nic)
    for public_ip in before:
        if public_ip not in now and public_ips.is_dynamic(public_ip):
            public_ips.release(em, public_ip)
    machine = em.store.find((nic.properties.get("virtualMachine") or {}).get("id"))
    if machine and machine.hidden.get("power") == "running":
        for public_ip in now:
            if public_ips.is_dynamic(public_ip):
                public_ips.give_address(em, public_ip)
