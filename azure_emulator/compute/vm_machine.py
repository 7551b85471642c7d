"""The machine behind a VM resource: what it is made of, and how it boots."""

from __future__ import annotations

from ..base import provider_errors
from ..base.store import Resource
from ..guest.machine_interface import Defects, MachineSpec
from ..network import firewall
from ..network.interfaces import primary_configuration
from ..state import Emulator
from . import vm_network
from .os_profile import decode_custom_data

PROVISIONING_LIMIT_S = 40 * 60.0  # how long Azure waits for a sign of the guest


def has_fault(vm: Resource, kind: str) -> bool:
    return any(fault.kind == kind for fault in vm.hidden["faults"])


def has_guest(em: Emulator) -> bool:
    """Return whether VMs have machines; without, they may be Windows or lack a login."""
    return em.settings.machines != "none"


def machine_spec(em: Emulator, vm: Resource) -> MachineSpec:
    nic, _ = vm_network.nics(em, vm)[0]
    profile = vm.properties["osProfile"]
    linux = profile["linuxConfiguration"]
    keys = (linux.get("ssh") or {}).get("publicKeys") or []
    password = vm.hidden.get("adminPassword")
    data = vm.hidden.get("customData") or vm.hidden.get("userData") or ""
    port = em.addresses.ssh_port
    return MachineSpec(
        vm_id=vm.properties["vmId"],
        name=vm.name,
        admin_username=profile["adminUsername"],
        public_keys=tuple(key["keyData"] for key in keys),
        password=None if linux["disablePasswordAuthentication"] else password,
        custom_data=decode_custom_data(data),
        private_address=primary_configuration(nic)["privateIPAddress"],
        ssh_port=port,
        network=firewall.InterfaceNetwork(em, nic.id, port),
        metadata_url=em.metadata.url(vm),
        host_name=profile["computerName"],
        mac_address=nic.properties.get("macAddress", ""),
        defects=Defects(
            no_ssh=has_fault(vm, "no_ssh"),
            wrong_host_key=has_fault(vm, "wrong_host_key"),
            disk_mb=max((fault.disk_mb for fault in vm.hidden["faults"]), default=0),
        ),
    )


async def boot(em: Emulator, vm: Resource) -> None:
    """Boot the VM's machine, unless a fault says it never boots; raises ArmError if it can't."""
    if has_fault(vm, "never_boots"):
        return
    if has_guest(em):
        await em.machines.boot(machine_spec(em, vm))
    vm.hidden["booted"].set()


async def wait_for_guest(em: Emulator, vm: Resource) -> None:
    """Wait, as Azure does, for the guest's first sign of life; a VM without one stays, Failed."""
    if has_fault(vm, "never_boots"):
        vm.hidden["power"] = "running"
        await em.clock.sleep(PROVISIONING_LIMIT_S)
        raise provider_errors.os_provisioning_timed_out(vm.name)
