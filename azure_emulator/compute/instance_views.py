"""The instance view: what a machine and its parts are doing at this moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..base import versions
from ..base.messages import Json
from ..base.store import Resource
from ..base.timestamps import compute_timestamp
from ..base.versions_compute import AGENT_STAYS, EMPTY_HANDLERS
from ..state import Emulator
from . import disk_encryption, images, vm_extensions

POWER = {
    "starting": "VM starting",
    "running": "VM running",
    "stopped": "VM stopped",
    "deallocated": "VM deallocated",
}
STATES = {"Succeeded": "Provisioning succeeded", "Failed": "Provisioning failed"}


def _status(em: Emulator, kind: str, state: str) -> Json:
    status: Json = {
        "code": f"{kind}/{state.lower()}",
        "level": "Error" if state == "Failed" else "Info",
        "displayStatus": STATES.get(state, state),
    }
    # What is still going on has no time.
    return status | ({"time": compute_timestamp(em.clock.now())} if state in STATES else {})


def statuses(em: Emulator, vm: Resource) -> list[Json]:
    state = vm.properties["provisioningState"]
    found = [_status(em, "ProvisioningState", state)]
    if vm.hidden.get("generalized"):
        shown = {"level": "Info", "displayStatus": "VM generalized"}
        found.append({"code": "OSState/generalized", **shown})
    power = vm.hidden.get("power")
    if power and state != "Creating":
        shown = {"level": "Info", "displayStatus": POWER[power]}
        found.append({"code": f"PowerState/{power}", **shown})
    return found


def of_vm(em: Emulator, vm: Resource, api_version: str, extensions: Sequence[Json] = ()) -> Json:
    """Return the VM's instance view; extensions: those of a scale set's model, or its own."""
    view: Json = {}
    reference = vm.properties["storageProfile"].get("imageReference") or {}
    login = vm.properties.get("osProfile")
    extensions = extensions or vm_extensions.all_of(vm)
    reports = _reports(vm, api_version)
    if reports and login:
        view = {"computerName": login["computerName"], **_system(reference)}
        view["vmAgent"] = _agent(em)
        if extensions or versions.includes(EMPTY_HANDLERS, api_version):
            view["vmAgent"]["extensionHandlers"] = [vm_extensions.handler(i) for i in extensions]
    view["disks"] = _disks(em, vm)
    if reports and extensions:
        view["extensions"] = [vm_extensions.view(item) for item in extensions]
    view |= {"hyperVGeneration": images.generation(reference), "statuses": statuses(em, vm)}
    if "bootDiagnostics" in (vm.properties.get("diagnosticsProfile") or {}):
        view["bootDiagnostics"] = {}
    return view


def _reports(vm: Resource, api_version: str) -> bool:
    """Return whether the view has a report of the agent; a stopped machine's last one stays.

    In 2017 it even outlived the deallocation (recorded).
    """
    power = vm.hidden.get("power")
    gone = power == "deallocated" and not versions.includes(AGENT_STAYS, api_version)
    return power is not None and not gone


def _system(reference: Json) -> Json:
    if images.is_windows(reference):
        return {"osName": "Windows Server Datacenter", "osVersion": "Microsoft Windows NT 10.0"}
    version = str(reference.get("exactVersion", "24.04")).split(".")
    return {"osName": "ubuntu", "osVersion": ".".join(version[:2])}


def _agent(em: Emulator) -> Json:
    ready: Json = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Ready",
        "message": "Guest Agent is running",
        "time": compute_timestamp(em.clock.now()),
    }
    return {"vmAgentVersion": "2.11.1.4", "statuses": [ready]}


def _disks(em: Emulator, vm: Resource) -> list[Json]:
    storage = vm.properties["storageProfile"]
    names = [item.get("name") for item in (storage["osDisk"], *storage.get("dataDisks", []))]
    shown = [
        {"name": name, "statuses": [_status(em, "ProvisioningState", "Succeeded")]}
        for name in names
        if name
    ]
    return [disk_encryption.of_disk(vm, disk) for disk in shown]


def of_uniform_vm(em: Emulator, vm: Resource, api_version: str, extensions: Sequence[Json]) -> Json:
    """Return a Uniform scale set machine's view, with its fault and update domains."""
    view = of_vm(em, vm, api_version, extensions)
    if "vmAgent" in view and not extensions:
        view["vmAgent"] = {**view["vmAgent"], "extensionHandlers": []}
    place: Json = {
        "placementGroupId": vm.hidden["placementGroup"],
        "platformUpdateDomain": vm.hidden["number"] % 5,
        "platformFaultDomain": vm.hidden["number"] % 5,
    }
    return place | view


def of_scale_set(em: Emulator, scale_set: Resource, vms: Sequence[Resource]) -> Json:
    counts = Counter(vm.properties["provisioningState"].lower() for vm in vms)
    summary = [
        {"code": f"ProvisioningState/{state}", "count": count}
        for state, count in sorted(counts.items())
    ]
    state = scale_set.properties["provisioningState"]
    view: Json = {"virtualMachine": {"statusesSummary": summary}}
    extensions = _extensions(scale_set)
    if extensions:
        view["extensions"] = [{"name": name, "statusesSummary": summary} for name in extensions]
    return view | {"statuses": [_status(em, "ProvisioningState", state)]}


def _extensions(scale_set: Resource) -> list[str]:
    profile = scale_set.properties.get("virtualMachineProfile") or {}
    known = (profile.get("extensionProfile") or {}).get("extensions") or []
    return [item["name"] for item in known if "name" in item]
