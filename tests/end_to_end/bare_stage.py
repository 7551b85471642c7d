"""A start as far as its requests go: against an emulator without machines, in this process."""

import asyncio
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.resource_types import COMPUTE_API, SCALE_SET, VIRTUAL_MACHINE
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.settings.values import Settings
from ipcluster_azure.ssh.keys import make_login_key
from ipcluster_azure.start.deployment import find_site, request_controller, request_engines
from ipcluster_azure.start.planning import Site, plan_engines
from ipcluster_azure.start.request import JobFile, ProcessSpec, StartContext

from ..azure_emulator.cloud import Cloud
from ..unit.plans import settings

TERMS = (
    "/providers/Microsoft.MarketplaceOrdering/offerTypes/virtualmachine/publishers/resf/offers"
    "/rockylinux-x86_64/plans/9-base/agreements/current"
)
GALLERY = "/resourceGroups/images/providers/Microsoft.Compute/galleries/lab"
GALLERIES_API = "2024-03-03"


@dataclass
class Stage:
    """An emulator without machines, and a profile whose clusters are requested from it."""

    cloud: Cloud
    file: RecordFile

    def settings(self, **changes: Any) -> Settings:
        return settings(endpoint="emulator", **changes)

    def find(self, engines: Settings | None = None, **changes: Any) -> Site:
        return asyncio.run(find_site(self.file, self.settings(**changes), engines, 1))

    def refused(self, engines: Settings | None = None, **changes: Any) -> str:
        """Why no cluster is begun with these settings; of which nothing may be there."""
        before = self.cloud.call("GET", "/resourceGroups").body["value"]
        with pytest.raises(ConfigurationError) as caught:
            self.find(engines, **changes)
        assert self.cloud.call("GET", "/resourceGroups").body["value"] == before
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def start(self, engines: Settings | None = None, **changes: Any) -> tuple[Any, Any]:
        """Request a cluster; returns what Azure shows of its two kinds of machines."""
        chosen = self.settings(**changes)
        asyncio.run(self._request(chosen, engines or chosen))
        group = f"/resourceGroups/{self.file.require().plan.resource_group}"
        paths = [f"{group}/providers/{kind}" for kind in (VIRTUAL_MACHINE, SCALE_SET)]
        vms, sets = (
            self.cloud.call("GET", path, version=COMPUTE_API).body["value"] for path in paths
        )
        (controller,) = (vm for vm in vms if vm["name"].endswith("-controller"))
        return controller, sets[0]

    def start_and_see_made(self) -> None:
        """Request a cluster and see its controller's machine made; raises what Azure says."""
        self.start()
        record = self.file.require()
        url = record.controller.operation
        with AzureApi(record.endpoint, record.plan.subscription_id) as api:
            for _ in range(100):
                if api.has_succeeded(url, "creating the controller"):
                    return
                time.sleep(0.05)

    async def _request(self, chosen: Settings, engines: Settings) -> None:
        context = StartContext(self.file, Progress(logging.getLogger("test")))
        site = await find_site(self.file, chosen, engines, 1)
        await request_controller(
            context,
            site,
            self._job("controller"),
            ProcessSpec(),
            login_key=make_login_key(),
            announce=lambda: None,
            on_network=lambda: None,
        )
        plans = await plan_engines(self.file, engines, "1", 1)
        await request_engines(context, plans, self._job("engines"))

    def _job(self, name: str) -> JobFile:
        return JobFile(self.file.profile_dir / f"{name}.json", lambda template: None)

    def gallery(self, *regions: str, **definition: Any) -> str:
        """Make an image in a gallery that everybody may use; returns its id."""
        group = {"location": "eastus"}
        self.cloud.call("PUT", "/resourceGroups/images", group, version="2021-04-01")
        said = {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "lab", "offer": "quant", "sku": "python"},
            **definition,
        }
        sharing = {"permissions": "Community", "communityGalleryInfo": {"publicNamePrefix": "lab"}}
        publishing = {"targetRegions": [{"name": name} for name in regions or ("East US",)]}
        version = {
            "storageProfile": {"osDiskImage": {"sizeInGB": 64}},
            "publishingProfile": publishing,
        }
        for path, properties in {
            GALLERY: {"sharingProfile": sharing},
            f"{GALLERY}/images/python": said,
            f"{GALLERY}/images/python/versions/1.9.0": version,
            f"{GALLERY}/images/python/versions/1.10.0": version,
        }.items():
            body = {"location": "eastus", "properties": properties}
            answer = self.cloud.call("PUT", path, body, version=GALLERIES_API)
            assert answer.status in (200, 201), answer
        return f"{self.cloud.subscription}{GALLERY}/images/python"

    def public_name(self) -> str:
        sharing = self.cloud.call("GET", GALLERY, version=GALLERIES_API).body["properties"]
        return str(sharing["sharingProfile"]["communityGalleryInfo"]["publicNames"][0])

    def accept_terms(self, *, accepted: bool) -> None:
        body = {"properties": {"accepted": accepted}}
        assert self.cloud.call("PUT", TERMS, body, version="2015-06-01").status == 200


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    state_dir = tmp_path_factory.mktemp("bare")
    cloud = Cloud(client.start(state_dir, machines="none"))
    yield cloud
    cloud.close()
    client.stop(state_dir)


@pytest.fixture
def stage(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    info: EmulatorInfo = cloud.info
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, info.state_dir)
    yield Stage(cloud, RecordFile.of(str(tmp_path), ""))
    client.reset(info.state_dir)
