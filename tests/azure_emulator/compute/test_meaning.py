"""Machines that Azure refuses for what a value means, though its form is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..cloud import LOCATION, Answer, Cloud, Keys, Site, scale_set_body, vm_body

PLAN = {"publisher": "p", "name": "n", "product": "o"}
Change = Callable[[dict[str, Any]], Any]


def put(site: Site, body: dict[str, Any], kind: str = "virtualMachines") -> Answer:
    return site.cloud.call("PUT", site.provider(kind, "one"), body)


def machine(site: Site, keys: Keys, size: str = "Standard_D2s_v5") -> dict[str, Any]:
    return vm_body(keys, site.nic("nic", site.network())["id"], size)


def os_disk(**members: Any) -> Change:
    return lambda body: body["properties"]["storageProfile"]["osDisk"].update(members)


def data_disks(*disks: dict[str, Any]) -> Change:
    entries = [{"createOption": "Empty", "diskSizeGB": 8, **disk} for disk in disks]
    return lambda body: body["properties"]["storageProfile"].update(dataDisks=entries)


def spot(price: float) -> Change:
    members = {"priority": "Spot", "billingProfile": {"maxPrice": price}}
    return lambda body: body["properties"].update(members)


def properties(**members: Any) -> Change:
    return lambda body: body["properties"].update(members)


def boot(url: str) -> Change:
    return properties(diagnosticsProfile={"bootDiagnostics": {"enabled": True, "storageUri": url}})


def computer(name: str) -> Change:
    return lambda body: body["properties"]["osProfile"].update(computerName=name)


def top(**members: Any) -> Change:
    return lambda body: body.update(members)


PREMIUM = {"managedDisk": {"storageAccountType": "Premium_LRS"}}
EPHEMERAL: dict[str, Any] = {"diffDiskSettings": {"option": "Local"}, "caching": "ReadOnly"}
REFUSED = [
    ("Standard_D2s_v5", os_disk(diskSizeGB=4096), "InvalidParameter"),
    ("Standard_D2s_v5", os_disk(diskSizeGB=29), "OperationNotAllowed"),
    ("Standard_D2_v5", os_disk(**PREMIUM), "InvalidParameter"),
    ("Standard_D2_v5", data_disks({"lun": 0, **PREMIUM}), "InvalidParameter"),
    ("Standard_D2s_v5", data_disks({"lun": 64}), "InvalidParameter"),
    ("Standard_D2s_v5", data_disks({"lun": -1}), "InvalidParameter"),
    ("Standard_D2s_v5", data_disks({"lun": 0, "diskSizeGB": 32768}), "InvalidParameter"),
    ("Standard_D2s_v5", os_disk(**EPHEMERAL), "OperationNotAllowed"),  # it has no local disk
    ("Standard_D8ds_v5", os_disk(**EPHEMERAL, diskSizeGB=65), "OperationNotAllowed"),
    ("Standard_D8ds_v5", os_disk(**{**EPHEMERAL, "caching": "ReadWrite"}), "InvalidParameter"),
    ("Standard_D2s_v5", spot(0), "InvalidParameter"),
    ("Standard_D2s_v5", spot(-2), "InvalidParameter"),
    ("Standard_D2s_v5", spot(0.0001), "OperationNotAllowed"),
    ("Standard_D2s_v5", computer("a_b"), "InvalidParameter"),
    ("Standard_D2s_v5", os_disk(osType="Windows"), "InvalidParameter"),
    ("Standard_D2s_v5", data_disks({"lun": 0, "createOption": "FromImage"}), "InvalidParameter"),
    ("Standard_D2s_v5", data_disks({"lun": 0, "diskIOPSReadWrite": 500}), "InvalidParameter"),
    ("Standard_D2s_v5", properties(licenseType="MIT"), "InvalidParameter"),
    ("Standard_D2s_v5", boot("https://example.com/"), "InvalidParameter"),
    ("Standard_D2s_v5", boot("not a URL"), "InvalidParameter"),
    ("Standard_D2s_v5", boot("http://[::1"), "InvalidParameter"),
    ("Standard_D2s_v5", top(zones=["1", "2"]), "InvalidParameter"),
    ("Standard_D2s_v5", top(zones=["9"]), "InvalidAvailabilityZone"),
    ("Standard_D2s_v5", top(tags={"a<b": "c"}), "InvalidTagNameCharacters"),
    ("Standard_D2s_v5", top(tags={"": "c"}), "InvalidTagNameCharacters"),
]
TAKEN = [
    ("Standard_D2s_v5", os_disk(diskSizeGB=4095, **PREMIUM)),
    ("Standard_D8ds_v5", os_disk(**EPHEMERAL, diskSizeGB=64)),
    ("Standard_D2s_v5", data_disks({"lun": 63, **PREMIUM})),
    ("Standard_D2s_v5", os_disk(osType="linux")),
    ("Standard_D2s_v5", properties(licenseType="UBUNTU_PRO")),
    ("Standard_D2s_v5", boot("https://logs.blob.core.windows.net/")),
    ("Standard_D2s_v5", spot(-1)),
    ("Standard_D2s_v5", spot(0.05)),
    ("Standard_D2s_v5", top(zones=["3"], tags={"a:b+c*": "<&%>"})),
    ("Standard_D2s_v5", computer("a-b.c")),
]


@pytest.mark.parametrize(("size", "change", "code"), REFUSED)
def test_refused(site: Site, keys: Keys, size: str, change: Change, code: str) -> None:
    body = machine(site, keys, size)
    change(body)
    answer = put(site, body)
    assert answer.status in (400, 409), answer
    assert answer.code == code
    assert site.get("virtualMachines", "one").status == 404


@pytest.mark.parametrize(("size", "change"), TAKEN)
def test_taken(site: Site, keys: Keys, size: str, change: Change) -> None:
    body = machine(site, keys, size)
    change(body)
    answer = put(site, body)
    assert answer.status == 201, answer
    assert site.cloud.wait_for(answer)["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("primary", "code"),
    [
        ((None, None), "NetworkInterfaceMustHavePrimaryPropertySet"),
        ((False, False), "NetworkInterfaceMustHavePrimaryPropertySet"),
        ((True, True), "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary"),
        ((False, True), ""),
    ],
)
def test_of_several_interfaces_one_is_primary(
    site: Site, keys: Keys, primary: tuple[bool | None, ...], code: str
) -> None:
    subnet = site.network()
    entries = []
    for number, value in enumerate(primary):
        entry: dict[str, Any] = {"id": site.nic(f"nic{number}", subnet)["id"]}
        entries.append(entry if value is None else {**entry, "properties": {"primary": value}})
    body = vm_body(keys, "")
    body["properties"]["networkProfile"]["networkInterfaces"] = entries
    answer = put(site, body)
    if code:
        assert (answer.status, answer.code) == (400, code)
    else:
        assert answer.status == 201, answer


def test_a_plan_for_an_image_that_is_not_sold(site: Site, keys: Keys) -> None:
    body = {**machine(site, keys), "plan": PLAN}
    ended = site.cloud.wait_for(put(site, body))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "VMMarketplaceInvalidInput")
    assert "does not need Plan" in ended["error"]["message"]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["properties"].update(platformFaultDomainCount=0),
        lambda body: body["properties"].update(platformFaultDomainCount=-7),
        lambda body: body["properties"].update(platformFaultDomainCount=6),
        lambda body: body["properties"]["virtualMachineProfile"]["storageProfile"]["osDisk"].update(
            diskSizeGB=5000
        ),
    ],
)
def test_a_scale_set_is_refused(site: Site, keys: Keys, change: Change) -> None:
    body = scale_set_body(keys, site.network(), 1)
    change(body)
    answer = put(site, body, "virtualMachineScaleSets")
    assert (answer.status, answer.code) == (400, "InvalidParameter")


def test_zones_stay(site: Site, arm: Cloud, keys: Keys) -> None:
    body = {**machine(site, keys), "zones": ["1"]}
    arm.wait_for(put(site, body))
    moved = put(site, {**body, "zones": ["2"]})
    assert (moved.status, moved.code) == (409, "PropertyChangeNotAllowed")
    same = put(site, body)
    assert same.status == 200, same


@pytest.mark.parametrize(("lun", "status"), [(3, 201), (4, 400)])
def test_data_disks_of_an_image(site: Site, keys: Keys, lun: int, status: int) -> None:
    image = f"{site.path}/providers/Microsoft.Compute/images/own"
    system = {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30}
    disks = {"osDisk": system, "dataDisks": [{"lun": 3, "diskSizeGB": 8}]}
    properties = {"hyperVGeneration": "V2", "storageProfile": disks}
    made = site.cloud.call("PUT", image, {"location": LOCATION, "properties": properties})
    assert made.status == 201, made
    body = machine(site, keys)
    body["properties"]["storageProfile"]["imageReference"] = {"id": made.body["id"]}
    data_disks({"lun": lun, "createOption": "FromImage"})(body)
    assert put(site, body).status == status
