"""What is asked of Azure to know an image, where the emulator always answers in one way."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ipcluster_azure.errors import EndpointUnreachable
from ipcluster_azure.plan.image import Image
from ipcluster_azure.resource_manager.images import find_image
from ipcluster_azure.settings.image_reference import parse_image

URN = "Canonical:ubuntu-24_04-lts:server:latest"
VERSIONS = (
    "/publishers/Canonical/artifacttypes/vmimage/offers/ubuntu-24_04-lts/skus/server/versions"
)
SHOWN = {"hyperVGeneration": "V2", "osDiskImage": {"operatingSystem": "Linux", "sizeInGb": 31}}


class Azure:
    """As much of AzureApi as an image is read by; `answers` are by the end of the path."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def compute_path(self, rest: str) -> str:
        return f"/{rest}"

    def compute_at(
        self, path: str, version: str, query: Mapping[str, str] | None = None, *, doing: str
    ) -> Any:
        self.asked.append((path, query or {}))
        answer = self.answers[path.rpartition("/")[2]]
        if isinstance(answer, Exception):
            raise answer
        return answer


def _find(azure: Azure, name: str = URN) -> Image:
    return asyncio.run(find_image(azure, parse_image(name), "eastus"))  # type: ignore[arg-type]


def test_the_newest_version_is_asked_for_as_azures_own_tools_do() -> None:
    azure = Azure(versions=[{"name": "24.04.9", "properties": SHOWN}])
    assert _find(azure).generation == "V2"
    newest = {"$expand": "properties", "$top": "1", "$orderby": "name desc"}
    assert azure.asked == [(f"/locations/eastus{VERSIONS}", newest)]


def test_a_list_without_properties_is_followed_by_its_first_version() -> None:
    azure = Azure(versions=[{"name": "24.04.9"}], **{"24.04.9": {"properties": SHOWN}})
    assert _find(azure).generation == "V2"
    assert azure.asked[1] == (f"/locations/eastus{VERSIONS}/24.04.9", {})


def test_the_footer_of_a_vhd_is_no_gigabyte() -> None:
    disk = {"operatingSystem": "Linux", "sizeInGb": 31, "sizeInBytes": 30 * 1024**3 + 512}
    azure = Azure(versions=[{"name": "1", "properties": {**SHOWN, "osDiskImage": disk}}])
    assert _find(azure).size_gb == 30


def test_what_azure_does_not_tell_is_not_known() -> None:
    azure = Azure(versions=[{"name": "1", "properties": {"osDiskImage": {}}}])
    assert _find(azure) == Image(URN, architecture="x64", disk_controllers=("scsi",))


def test_an_endpoint_that_does_not_answer_is_not_an_image_that_cannot_be_read() -> None:
    with pytest.raises(EndpointUnreachable):
        _find(Azure(versions=EndpointUnreachable("gone")))
