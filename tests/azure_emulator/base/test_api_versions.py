"""Which api-versions a type of Microsoft.Compute has: disks and SKUs have their own ones."""

from __future__ import annotations

from pathlib import Path

import azure.mgmt.compute
import pytest
from azure.core.exceptions import HttpResponseError

from azure_emulator.base import api_versions

from ..cloud import LOCATION, Cloud, Site

DISK = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}}}
DISK["properties"] |= {"diskSizeGB": 4}  # type: ignore[operator, dict-item]
PROVIDER = "/providers/Microsoft.Compute"


@pytest.mark.parametrize("version", ["2024-03-02", "2026-03-02", "2017-03-30", "2027-03-02"])
def test_disks_are_made_with_versions_of_their_own(site: Site, version: str) -> None:
    path = f"{site.path}{PROVIDER}/disks/data"
    assert site.cloud.call("PUT", path, DISK, version=version).status in (200, 202)


@pytest.mark.parametrize("version", ["2025-04-01", "2024-07-01", "2026-04-01"])
def test_versions_of_machines_are_refused_for_disks(site: Site, version: str) -> None:
    path = f"{site.path}{PROVIDER}/disks/data"
    answer = site.cloud.call("PUT", path, DISK, version=version)
    assert (answer.status, answer.code) == (400, "NoRegisteredProviderFound")
    message = answer.body["error"]["message"]
    assert message.startswith(
        f"No registered resource provider found for location '{LOCATION}' and API version "
        f"'{version}' for type 'disks'. The supported api-versions are '2016-04-30-preview, 2017-"
    )
    assert ", 2024-03-02, 2025-01-02, 2026-03-02'. The supported locations are '" in message
    assert site.cloud.call("GET", path).status == 404
    answer = site.cloud.call("GET", f"{PROVIDER.lower()}/disks", version=version)
    assert (answer.status, answer.code) == (404, "InvalidResourceType")
    assert answer.body["error"]["message"].startswith(
        "The resource type 'disks' could not be found in the namespace 'microsoft.compute' for api "
        f"version '{version}'. The supported api-versions are '2016-04-30-preview,2017-"
    )


@pytest.mark.parametrize("kind", ["virtualMachines", "virtualMachineScaleSets", "sshPublicKeys"])
def test_versions_of_disks_are_refused_for_machines(arm: Cloud, kind: str) -> None:
    path = f"{PROVIDER}/{kind}"
    assert arm.call("GET", path, version="2024-03-02").code == "InvalidResourceType"
    for version in ("2016-08-30", "2025-04-01", "2026-04-01"):
        assert arm.call("GET", path, version=version).status == 200


def test_skus_have_four_versions(arm: Cloud) -> None:
    path = f"{PROVIDER}/skus"
    assert arm.call("GET", path, version="2021-07-01").status == 200
    assert arm.call("GET", path, version="2026-04-01").code == "InvalidResourceType"


def test_an_action_on_a_disk_needs_a_disks_version(site: Site) -> None:
    path = f"{site.path}{PROVIDER}/disks/data"
    site.cloud.call("PUT", path, DISK)
    answer = site.cloud.call("POST", f"{path}/beginGetAccess", {}, version="2025-04-01")
    assert answer.code == "NoRegisteredProviderFound"


def test_a_template_with_such_a_version_fails(site: Site) -> None:
    resource = {"type": "Microsoft.Compute/disks", "apiVersion": "2025-04-01", "name": "data"}
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/"
        "deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [{**resource, **DISK}],
    }
    properties = {"mode": "Incremental", "template": template}
    poller = site.cloud.deployments.deployments.begin_create_or_update(
        site.group, "disk", {"properties": properties}
    )
    with pytest.raises(HttpResponseError, match="NoRegisteredProviderFound"):
        poller.result()


def test_the_versions_of_the_installed_sdk_are_known() -> None:
    """A new SDK may bring new ones: add them, else they pass by being the newest of all."""
    folder = Path(azure.mgmt.compute.__file__).parent
    source = (folder / "operations" / "_operations.py").read_text(encoding="utf-8")
    for versions in (api_versions.MACHINES, api_versions.DISKS, api_versions.SKUS):
        assert f'"{versions[-1]}"' in source
