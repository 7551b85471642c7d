"""What role assignments let the holder of a token do, by scope."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from azure_emulator.base.store import Resource
from azure_emulator.front.dispatch import Router
from azure_emulator.guest.machine_interface import NoMachines
from azure_emulator.identity import roles
from azure_emulator.server_options import ServerSettings
from azure_emulator.state import Emulator

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
GROUP = f"{SUBSCRIPTION}/resourceGroups/mine"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm"
NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic"
START = "Microsoft.Compute/virtualMachines/start/action"
READ = "Microsoft.Compute/virtualMachines/read"
WRITE = "Microsoft.Compute/virtualMachines/write"
WRITE_NIC = "Microsoft.Network/networkInterfaces/write"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
BY_NAME = {role.name: identifier for identifier, role in roles.ROLES.items()}


def holder(tmp_path: Path, *assignments: tuple[str, str, str]) -> roles.Holder:
    """(principal, role, scope) each."""
    em = Emulator(ServerSettings(tmp_path), NoMachines(), Router())
    for number, (principal, role, scope) in enumerate(assignments):
        definition = "/providers/Microsoft.Authorization/roleDefinitions/" + BY_NAME[role].upper()
        properties = {"principalId": principal, "roleDefinitionId": definition, "scope": scope}
        identifier = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{number}"
        em.store.extensions[identifier.lower()] = Resource(
            "Microsoft.Authorization/roleAssignments",
            identifier,
            str(number),
            "",
            "",
            None,
            properties,
            new_etag=str,
        )
    return roles.holder(em, "me", datetime.now(timezone.utc))


@pytest.mark.parametrize(
    ("role", "scope", "action", "on", "allowed"),
    [
        ("Owner", SUBSCRIPTION, ASSIGN, GROUP, True),
        ("Contributor", GROUP, ASSIGN, GROUP, False),
        ("Contributor", GROUP, WRITE, VM, True),
        ("Contributor", GROUP.upper(), WRITE, VM, True),
        ("Contributor", GROUP, WRITE, VM.replace("mine", "mine-too"), False),
        ("Contributor", VM, WRITE, VM, True),
        ("Contributor", VM, WRITE_NIC, NIC, False),
        ("Reader", SUBSCRIPTION, READ, VM, True),
        ("Reader", SUBSCRIPTION, START, VM, False),
        ("Virtual Machine Contributor", GROUP, START, VM, True),
        ("Virtual Machine Contributor", GROUP, WRITE_NIC, NIC, True),
        (
            "Virtual Machine Contributor",
            GROUP,
            "Microsoft.Network/virtualNetworks/write",
            GROUP,
            False,
        ),
        ("Network Contributor", GROUP, WRITE_NIC, NIC, True),
        ("Network Contributor", GROUP, WRITE, VM, False),
    ],
)
def test_a_role_at_a_scope(
    tmp_path: Path, role: str, scope: str, action: str, on: str, allowed: bool
) -> None:
    assert holder(tmp_path, ("ME", role, scope)).may(action, on) is allowed


def test_roles_add_up_and_belong_to_one_principal(tmp_path: Path) -> None:
    assert not holder(tmp_path).may(READ, VM)
    assert not holder(tmp_path, ("you", "Owner", SUBSCRIPTION)).may(READ, VM)
    both = holder(tmp_path, ("me", "Reader", GROUP), ("me", "Network Contributor", NIC))
    assert both.may(READ, VM)
    assert both.may(WRITE_NIC, NIC)
    assert not both.may(WRITE, VM)


def test_the_roles_that_are_granted(tmp_path: Path) -> None:
    me = holder(tmp_path, ("me", "Reader", SUBSCRIPTION), ("me", "Contributor", GROUP))
    assert me.granted(SUBSCRIPTION) == [(("*/read",), ())]
    (reader, contributor) = me.granted(VM)
    assert reader == (("*/read",), ())
    assert contributor[0] == ("*",)
