"""Image, size, plan and disk are compared before anything is created, and sent as Azure needs."""

from dataclasses import replace
from typing import Any

import pytest

from azure_emulator.testing import restricted
from ipcluster_azure.errors import RequestRefused
from ipcluster_azure.plan.resource_types import COMPUTE_API

from .bare_stage import Stage, cloud, stage

__all__ = ["cloud", "stage"]  # fixtures
UBUNTU = "Canonical:ubuntu-24_04-lts"
SOLD = "resf:rockylinux-x86_64:9-base:latest"
PLAN = {"name": "9-base", "publisher": "resf", "product": "rockylinux-x86_64"}
READS = (
    "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
    "Microsoft.Compute/galleries/images/read",
    "Microsoft.MarketplaceOrdering/*/read",
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"vm_size": ("Standard_D4ps_v5",)},
            [
                "vm_size Standard_D4ps_v5 has Arm64 processors, and the image is for x64",
                "such as Standard_D4s_v5",
                f"c.AzureVMLauncher.image = '{UBUNTU}:server-arm64:latest'",
            ],
        ),
        (
            {"image": f"{UBUNTU}:server-arm64:24.04.202609050"},
            [
                "vm_size Standard_D4s_v5 has x64 processors, and the image is for Arm64",
                "such as Standard_D4ps_v5",
                f"image = '{UBUNTU}:server:latest'",
            ],
        ),
        (
            {"image": f"{UBUNTU}:server-gen1:latest", "vm_size": ("Standard_D8s_v6",)},
            [
                "vm_size Standard_D8s_v6 boots images of generation 2, and the image is of "
                "generation 1",
                "such as Standard_D8s_v5",
                f"image = '{UBUNTU}:server:latest'",
            ],
        ),
        ({"vm_size": ("Standard_D2_v3",)}, ["generation 1, and the image is of generation 2"]),
        (
            {"image": "Canonical:UbuntuServer:18_04-lts-gen2:latest", "vm_size": ("D4s_v6",)},
            ["has disks by NVMe only, and the image knows SCSI only", "az vm image list --all"],
        ),
        (
            {"vm_size": ("Standard_DC4as_v5",)},
            ["makes confidential machines only", "such as Standard_D4as_v5"],
        ),
        (
            {"os_disk_gb": 29},
            ["os_disk_gb = 29 is less than the image's 30 GiB", "os_disk_gb = 30, or 0"],
        ),
        (
            {"image": "MicrosoftWindowsServer:WindowsServer:2022-datacenter-g2:latest"},
            ["is one of Windows; the machines need Linux"],
        ),
        (
            {"image": f"{UBUNTU}:servr:latest"},
            [
                f"image {UBUNTU}:servr:latest does not exist in eastus",
                "az vm image list --all --location eastus --publisher Canonical",
            ],
        ),
        ({"image": f"{UBUNTU}:server:24.04.1"}, ["24.04.1 does not exist in eastus"]),
        ({"location": "eastuss"}, ["location 'eastuss' is not a region", "Did you mean eastus?"]),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_created(
    stage: Stage, changes: dict[str, Any], words: list[str]
) -> None:
    message = stage.refused(**changes)
    for part in words:
        assert part in message


@pytest.mark.parametrize(
    "name", ["Standard_D4s_v5", "STANDARD_d4S_V5", "D4s_v5", "d4s_v5", "Standard D4s v5"]
)
def test_a_size_is_known_by_the_names_that_people_give_it(stage: Stage, name: str) -> None:
    """The name that goes to Azure, and into the job files, is Azure's own."""
    (size,) = stage.find(vm_size=(name,)).sizes
    assert size.name == "Standard_D4s_v5"


def test_a_misspelt_size_is_answered_with_azures_spelling(stage: Stage) -> None:
    message = stage.refused(vm_size=("D4sv5",))
    assert "vm_size 'D4sv5' is not offered in eastus. Did you mean Standard_D4s_v5?" in message


def test_the_engines_are_compared_with_their_own_image(stage: Stage) -> None:
    engines = stage.settings(image=f"{UBUNTU}:server-arm64:latest")
    assert "the image is for Arm64" in stage.refused(engines)
    arm = replace(engines, vm_size=("D4ps_v5",))
    message = stage.refused(arm)
    assert (
        "Standard_D4ps_v5 has Arm64 processors and the controller's Standard_D4s_v5 x64" in message
    )
    stage.find(replace(arm, python_environment="image"))
    spot = stage.settings(vm_size=("B2ms",), priority="Spot")
    assert "Standard_B2ms can't be had as Spot" in stage.refused(spot)


def _machines(properties: dict[str, Any]) -> dict[str, Any]:
    """Settings that add these members to all machines."""
    return {
        "extra_vm": {"properties": properties},
        "extra_scale_set": {"properties": {"virtualMachineProfile": properties}},
    }


PREMIUM = {"storageProfile": {"osDisk": {"managedDisk": {"storageAccountType": "Premium_LRS"}}}}
CACHED = {"caching": "ReadOnly", "diffDiskSettings": {"option": "Local"}}
EPHEMERAL = {"storageProfile": {"osDisk": CACHED}}
FAST = {"properties": {"enableAcceleratedNetworking": True}}
DATA_DISKS = [
    {"lun": lun, "createOption": "Empty", "diskSizeGB": 4, "deleteOption": "Delete"}
    for lun in range(9)
]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            _machines(PREMIUM) | {"vm_size": ("D4a_v4",)},
            [
                "vm_size Standard_D4a_v4 can't have Premium disks, which extra_vm",
                "Standard_D4as_v4",
            ],
        ),
        (
            _machines(EPHEMERAL),
            ["D4s_v5 has no place for an ephemeral OS disk", "Standard_D4ds_v5"],
        ),
        (
            _machines(EPHEMERAL) | {"vm_size": ("D2ds_v5",), "os_disk_gb": 64},
            ["has 16 GiB for an ephemeral OS disk, and this one has 64"],
        ),
        (
            _machines({"storageProfile": {"osDisk": {"diffDiskSettings": {"option": "Local"}}}}),
            ['extra_vm: an ephemeral OS disk must be cached for reading alone: add "caching"'],
        ),
        (
            _machines({"storageProfile": {"dataDisks": DATA_DISKS}}) | {"vm_size": ("D2s_v5",)},
            ["takes 8 data disks at most, not 9"],
        ),
        (
            {"extra_nic": FAST, "vm_size": ("B4ms",)},
            ["has no accelerated networking, which extra_nic asks for"],
        ),
        ({"extra_vm": {"nosuch": 1}}, ["extra_vm has nosuch, which Azure does not know"]),
        (
            _machines({"licenceType": "RHEL_BYOS"}),
            ["extra_vm has properties.licenceType", "Did you mean licenseType?"],
        ),
    ],
)
def test_what_is_added_is_known_and_fits(
    stage: Stage, changes: dict[str, Any], words: list[str]
) -> None:
    message = stage.refused(**changes)
    for part in words:
        assert part in message


def test_what_is_added_to_the_engines_is_known_and_fits(stage: Stage) -> None:
    unknown = {"properties": {"virtualMachineProfile": {"userDatum": "x"}}}
    engines = stage.settings(extra_scale_set=unknown)
    expected = "extra_scale_set has properties.virtualMachineProfile.userDatum"
    assert expected in stage.refused(engines)
    engines = stage.settings(extra_nic={"properties": {"enableAcelerated": True}})
    assert "Did you mean enableAcceleratedNetworking?" in stage.refused(engines)
    premium = {"properties": {"virtualMachineProfile": PREMIUM}}
    engines = stage.settings(extra_scale_set=premium, vm_size=("D4a_v4",))
    assert "Standard_D4a_v4 can't have Premium disks, which extra_scale_set" in stage.refused(
        engines
    )


def test_what_is_added_and_fits_is_taken(stage: Stage) -> None:
    controller, engines = stage.start(**_machines(EPHEMERAL), extra_nic=FAST, vm_size=("D8ds_v5",))
    model = engines["properties"]["virtualMachineProfile"]
    for profile in (controller["properties"], model):
        assert profile["storageProfile"]["osDisk"]["diffDiskSettings"] == {"option": "Local"}


def test_an_image_that_is_sold_needs_its_terms_and_gets_its_plan(stage: Stage) -> None:
    message = stage.refused(image=SOLD)
    assert f"`az vm image terms accept --urn {SOLD}`" in message
    stage.accept_terms(accepted=True)
    try:
        controller, engines = stage.start(image=SOLD)
    finally:
        stage.accept_terms(accepted=False)
    assert controller["plan"] == engines["plan"] == PLAN
    assert stage.file.require().plan.machine.purchase_plan == PLAN


def test_without_the_right_to_read_the_image_the_start_goes_on(stage: Stage) -> None:
    """Azure judges then, and what it says has the next step."""
    with restricted(stage.cloud.info, ["*"], list(READS)):
        controller, _ = stage.start()
        assert controller["properties"]["provisioningState"] in ("Creating", "Succeeded")
        stage.file.erase()
        gallery = stage.gallery()
        del gallery
    with (
        restricted(stage.cloud.info, ["*"], list(READS)),
        pytest.raises(RequestRefused, match="CPU Architecture"),
    ):
        stage.start(vm_size=("Standard_D4ps_v5",))


@pytest.mark.parametrize("version", ["", "/versions/1.10.0", "/versions/latest"])
def test_an_image_in_a_gallery_is_compared(stage: Stage, version: str) -> None:
    image = stage.gallery(architecture="Arm64") + version
    assert "the image is for Arm64" in stage.refused(image=image)
    controller, engines = stage.start(image=image, vm_size=("Standard_D4ps_v5",))
    storages = controller["properties"], engines["properties"]["virtualMachineProfile"]
    for properties in storages:
        assert properties["storageProfile"]["imageReference"]["id"] == image


def test_what_a_gallery_says_of_its_image_counts(stage: Stage) -> None:
    image = stage.gallery()
    assert "less than the image's 64 GiB" in stage.refused(image=image, os_disk_gb=63)
    assert "does not exist in eastus" in stage.refused(image=f"{image}/versions/7.0.0")
    assert "does not exist in eastus" in stage.refused(image=f"{image}s")
    image = stage.gallery("West Europe")
    assert f"image {image} does not exist in eastus" in stage.refused(image=image)
    message = stage.refused(image=f"{image}/versions/1.9.0")
    assert "is not replicated to eastus. `az sig image-version update" in message
    image = stage.gallery(osState="Specialized")
    assert "is specialized" in stage.refused(image=image)
    image = stage.gallery(purchasePlan={**PLAN})
    which = "--publisher resf --offer rockylinux-x86_64 --plan 9-base"
    assert f"`az vm image terms accept {which}`" in stage.refused(image=image)


@pytest.mark.parametrize(
    ("security", "size", "sent"),
    [
        ("TrustedLaunch", "Standard_D4s_v5", {"securityType": "TrustedLaunch"}),
        ("TrustedLaunchSupported", "Standard_D4s_v5", None),
        (
            "TrustedLaunchAndConfidentialVmSupported",
            "Standard_DC4as_v5",
            {"securityType": "ConfidentialVM", "uefiSettings": {"vTpmEnabled": True}},
        ),
        ("ConfidentialVmSupported", "Standard_D4s_v5", None),
    ],
)
def test_the_security_type_is_sent_where_azure_needs_one(
    stage: Stage, security: str, size: str, sent: object
) -> None:
    image = stage.gallery(features=[{"name": "SecurityType", "value": security}])
    controller, engines = stage.start(image=image, vm_size=(size,))
    model = engines["properties"]["virtualMachineProfile"]
    assert controller["properties"].get("securityProfile") == sent
    assert model.get("securityProfile") == sent
    guest_state = {"securityEncryptionType": "VMGuestStateOnly"} if "DC" in size else None
    disk = model["storageProfile"]["osDisk"]["managedDisk"]
    assert disk.get("securityProfile") == guest_state


def test_security_types_that_a_size_does_not_have(stage: Stage) -> None:
    image = stage.gallery(features=[{"name": "SecurityType", "value": "ConfidentialVM"}])
    message = stage.refused(image=image)
    assert "makes no confidential machines, and the image is for these only" in message
    assert "such as Standard_DC4as_v5" in message
    arm = [{"name": "SecurityType", "value": "TrustedLaunch"}]
    image = stage.gallery(features=arm, architecture="Arm64")
    assert "has no Trusted Launch" in stage.refused(image=image, vm_size=("D4ps_v5",))


def test_images_of_community_and_shared_galleries(stage: Stage) -> None:
    stage.gallery(architecture="Arm64")
    image = f"/CommunityGalleries/{stage.public_name()}/Images/python"
    assert "the image is for Arm64" in stage.refused(image=image)
    versioned = f"{image}/Versions/1.9.0"
    controller, engines = stage.start(image=versioned, vm_size=("D4ps_v5",))
    model = engines["properties"]["virtualMachineProfile"]
    reference = {"communityGalleryImageId": versioned}
    assert controller["properties"]["storageProfile"]["imageReference"] == reference
    assert model["storageProfile"]["imageReference"] == reference
    shared = "/SharedGalleries/nobody-LAB/Images/python"
    assert f"image {shared} does not exist in eastus" in stage.refused(image=shared)


def test_a_managed_image(stage: Stage) -> None:
    stage.gallery()  # for its resource group
    path = "/resourceGroups/images/providers/Microsoft.Compute/images/quant"
    disk = {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 48}
    disks = [{"lun": number} for number in range(9)]
    body: dict[str, Any] = {
        "location": "eastus",
        "properties": {
            "hyperVGeneration": "V2",
            "storageProfile": {"osDisk": disk, "dataDisks": disks},
        },
    }
    assert stage.cloud.call("PUT", path, body, version=COMPUTE_API).status == 201
    image = f"{stage.cloud.subscription}{path}"
    assert "less than the image's 48 GiB" in stage.refused(image=image, os_disk_gb=47)
    assert "processors" in stage.refused(image=image, vm_size=("D4ps_v5",))
    few = stage.refused(image=image, vm_size=("Standard_D2s_v5",))
    assert "takes 8 data disks at most, and the image has 9" in few
    stage.find(image=image)
    message = stage.refused(image=image, location="westeurope")
    assert "is in eastus, and the cluster's location is westeurope" in message
    body["properties"]["storageProfile"]["osDisk"]["osType"] = "Windows"
    assert stage.cloud.call("PUT", path, body, version=COMPUTE_API).status == 200
    assert "is one of Windows" in stage.refused(image=image)
