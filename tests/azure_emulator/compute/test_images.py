"""Images of one's own, images that are sold, and machines that don't fit their image."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from ..cloud import LOCATION, Cloud, Keys, Site, vm_body

VERSION = "2024-03-03"
SOLD = {"publisher": "resf", "offer": "rockylinux-x86_64", "sku": "9-base", "version": "latest"}
PLAN = {"publisher": "resf", "product": "rockylinux-x86_64", "name": "9-base"}
TERMS = (
    "/providers/Microsoft.MarketplaceOrdering/offerTypes/virtualmachine/publishers/resf/offers"
    "/rockylinux-x86_64/plans/9-base/agreements/current"
)


def _urn(text: str) -> dict[str, str]:
    return dict(zip(("publisher", "offer", "sku", "version"), text.split(":"), strict=True))


UBUNTU = "Canonical:ubuntu-24_04-lts"


@pytest.mark.parametrize(
    ("size", "image", "status", "code", "words"),
    [
        (
            "Standard_D4ps_v5",
            f"{UBUNTU}:server:latest",
            400,
            "BadRequest",
            "only supports a CPU Architecture of 'Arm64', but an image or disk with CPU "
            "Architecture 'x64' was given",
        ),
        (
            "Standard_D4s_v5",
            f"{UBUNTU}:server-arm64:latest",
            400,
            "BadRequest",
            "'Arm64' was given",
        ),
        (
            "Standard_D4s_v6",
            f"{UBUNTU}:server-gen1:latest",
            400,
            "BadRequest",
            "The selected VM size 'Standard_D4s_v6' cannot boot Hypervisor Generation '1'",
        ),
        ("Standard_D2_v2", f"{UBUNTU}:server:latest", 400, "BadRequest", "Generation '2'"),
        (
            "Standard_D4s_v6",
            "Canonical:UbuntuServer:18_04-lts-gen2:latest",
            400,
            "InvalidParameter",
            "cannot boot with OS image or disk",
        ),
        (
            "Standard_DC4as_v5",
            f"{UBUNTU}:cvm:latest",
            400,
            "BadRequest",
            "not supported for creation of VMs and Virtual Machine Scale Set with '<NULL>'",
        ),
    ],
)
def test_machines_that_do_not_fit_their_image_are_refused(
    arm: Cloud, site: Site, keys: Keys, size: str, image: str, status: int, code: str, words: str
) -> None:
    body = vm_body(keys, site.nic("nic", site.network())["id"])
    body["properties"]["hardwareProfile"]["vmSize"] = size
    body["properties"]["storageProfile"]["imageReference"] = _urn(image)
    answer = arm.call("PUT", site.provider("virtualMachines", "vm"), body)
    assert (answer.status, answer.code) == (status, code)
    assert words in answer.body["error"]["message"]


def test_a_disk_smaller_than_the_image_is_refused(arm: Cloud, site: Site, keys: Keys) -> None:
    body = vm_body(keys, site.nic("nic", site.network())["id"])
    body["properties"]["storageProfile"]["osDisk"]["diskSizeGB"] = 29
    answer = arm.call("PUT", site.provider("virtualMachines", "vm"), body)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    assert "disk size 29 GB is smaller than" in answer.body["error"]["message"]
    assert answer.body["error"]["target"] == "osDisk.diskSizeGB"


def test_an_image_that_is_sold_needs_a_plan_and_its_terms(
    arm: Cloud, site: Site, keys: Keys
) -> None:
    shown = arm.compute.virtual_machine_images.get(
        LOCATION, "resf", "rockylinux-x86_64", "9-base", "9.6.20250531"
    )
    assert shown.plan is not None
    assert (shown.plan.name, shown.plan.product) == ("9-base", "rockylinux-x86_64")
    body = vm_body(keys, site.nic("nic", site.network())["id"])
    body["properties"]["storageProfile"]["imageReference"] = SOLD
    path = site.provider("virtualMachines", "vm")
    ended = arm.wait_for(arm.call("PUT", path, body))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "VMMarketplaceInvalidInput")
    arm.wait_for(arm.call("DELETE", path))
    body["plan"] = PLAN
    answer = arm.call("PUT", path, body)
    assert (answer.status, answer.code) == (400, "ResourcePurchaseValidationFailed")
    version = "2015-06-01"
    terms = arm.call("GET", TERMS, version=version).body
    assert terms["properties"]["accepted"] is False
    terms["properties"]["accepted"] = True
    assert arm.call("PUT", TERMS, terms, version=version).body["properties"]["accepted"] is True
    try:
        ended = arm.wait_for(arm.call("PUT", path, body))
    finally:
        terms["properties"]["accepted"] = False
        arm.call("PUT", TERMS, terms, version=version)
    assert ended["status"] == "Succeeded"


def _gallery(site: Site, **definition: Any) -> str:
    """Make a gallery with an image and a version of it; returns the image's id."""
    gallery = f"{site.path}/providers/Microsoft.Compute/galleries/lab"
    said = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", **definition}
    identifier = {"publisher": "lab", "offer": "quant", "sku": "python"}
    sharing = {"permissions": "Community", "communityGalleryInfo": {"publicNamePrefix": "lab"}}
    version = {"storageProfile": {"osDiskImage": {"sizeInGB": 64}}}
    for path, properties in {
        gallery: {"sharingProfile": sharing},
        f"{gallery}/images/python": {**said, "identifier": identifier},
        f"{gallery}/images/python/versions/1.2.0": version,
    }.items():
        body = {"location": LOCATION, "properties": properties}
        assert site.cloud.call("PUT", path, body, version=VERSION).status == 201
    return f"{site.id}/providers/Microsoft.Compute/galleries/lab/images/python"


def test_a_gallery_as_the_sdk_sees_it(arm: Cloud, site: Site) -> None:
    _gallery(site, architecture="Arm64")
    image = arm.compute.gallery_images.get(site.group, "lab", "python")
    assert (image.architecture, image.hyper_v_generation) == ("Arm64", "V2")
    (version,) = arm.compute.gallery_image_versions.list_by_gallery_image(
        site.group, "lab", "python"
    )
    assert version.storage_profile is not None
    assert version.storage_profile.os_disk_image is not None
    assert version.storage_profile.os_disk_image.size_in_gb == 64
    gallery = arm.compute.galleries.get(site.group, "lab")
    assert gallery.sharing_profile is not None
    assert gallery.sharing_profile.community_gallery_info is not None
    (public,) = gallery.sharing_profile.community_gallery_info.public_names or ()
    shared = arm.compute.community_gallery_images.get(LOCATION, public, "python")
    assert shared.as_dict()["properties"]["architecture"] == "Arm64"
    arm.compute.gallery_image_versions.begin_delete(site.group, "lab", "python", "1.2.0").result()
    with pytest.raises(HttpResponseError) as caught:
        arm.compute.gallery_image_versions.get(site.group, "lab", "python", "1.2.0")
    assert caught.value.status_code == 404


def test_a_part_of_a_gallery_that_is_not_there(arm: Cloud, site: Site) -> None:
    path = f"{site.path}/providers/Microsoft.Compute/galleries/none/images/i"
    body = {"location": LOCATION, "properties": {"osType": "Linux", "osState": "Generalized"}}
    site.network()
    answer = arm.call("PUT", path, body, version=VERSION)
    assert (answer.status, answer.code) == (404, "ParentResourceNotFound")


@pytest.mark.parametrize(
    ("definition", "disk_gb", "security", "words"),
    [
        ({"architecture": "Arm64"}, 64, None, "CPU Architecture 'Arm64' was given"),
        ({}, 63, None, "63 GB is smaller than the size of the corresponding disk"),
        (
            {"features": [{"name": "SecurityType", "value": "TrustedLaunch"}]},
            64,
            None,
            "only supports creation of VMs and VM Scale Sets with 'TrustedLaunch'",
        ),
        ({}, 64, "ConfidentialVM", "not supported for creation of VMs"),
        (
            {"features": [{"name": "SecurityType", "value": "TrustedLaunch"}]},
            64,
            "TrustedLaunch",
            "",
        ),
        ({}, 0, None, ""),
    ],
)
def test_machines_of_an_image_in_a_gallery(
    arm: Cloud,
    site: Site,
    keys: Keys,
    definition: dict[str, Any],
    disk_gb: int,
    security: str | None,
    words: str,
) -> None:
    body = vm_body(keys, site.nic("nic", site.network())["id"])
    storage = body["properties"]["storageProfile"]
    storage["imageReference"] = {"id": _gallery(site, **definition)}
    if disk_gb:
        storage["osDisk"]["diskSizeGB"] = disk_gb
    if security:
        body["properties"]["securityProfile"] = {"securityType": security}
    answer = arm.call("PUT", site.provider("virtualMachines", "vm"), body)
    if words:
        assert answer.status >= 400
        assert words in answer.body["error"]["message"]
    else:
        assert answer.status == 201


def test_an_id_of_an_image_that_was_not_made_here_is_believed(
    arm: Cloud, site: Site, keys: Keys
) -> None:
    body = vm_body(keys, site.nic("nic", site.network())["id"])
    unknown = "/CommunityGalleries/other-1/Images/python"
    body["properties"]["storageProfile"]["imageReference"] = {"communityGalleryImageId": unknown}
    assert arm.call("PUT", site.provider("virtualMachines", "vm"), body).status == 201
