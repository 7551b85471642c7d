"""What the Resource Manager's answers say of machines and addresses. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..plan.resource_types import Json

GONE = "gone"


@dataclass(frozen=True)
class MachineState:
    """A machine of a scale set as Azure sees it; the address is empty until its NIC exists."""

    id: str
    name: str
    address: str
    provisioning_state: str


def nic_address(nic: Json) -> str:
    """The private address of a network interface, or an empty string while it has none."""
    configurations = nic.get("properties", {}).get("ipConfigurations") or [{}]
    return str(configurations[0].get("properties", {}).get("privateIPAddress") or "")


def machine_states(vms: Iterable[Json], nics: Iterable[Json]) -> list[MachineState]:
    """Machines and their interfaces, as Azure lists them -> their states, sorted by name.

    `nics` may have interfaces of other machines too.
    """
    addresses = {nic["id"].lower(): nic_address(nic) for nic in nics}
    return sorted((_machine_state(vm, addresses) for vm in vms), key=lambda machine: machine.name)


def _machine_state(vm: Json, addresses: dict[str, str]) -> MachineState:
    properties = vm.get("properties", {})
    references = properties.get("networkProfile", {}).get("networkInterfaces") or []
    address = addresses.get(references[0]["id"].lower(), "") if references else ""
    return MachineState(vm["id"], vm["name"], address, properties.get("provisioningState", ""))


def power_state(vm_properties: Json) -> str:
    """The power state of a machine that was read with its instance view, such as "running",
    "deallocated" or "gone"."""
    if vm_properties.get("provisioningState") == "Deleting":
        return GONE
    codes = [item["code"] for item in vm_properties["instanceView"].get("statuses", ())]
    powers = [code.partition("/")[2] for code in codes if code.startswith("PowerState/")]
    return powers[0] if powers else "unknown"
