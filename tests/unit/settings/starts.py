"""What a start with certain settings would ask for, found without asking Azure for anything."""

import asyncio
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import BootTimeout
from ipcluster_azure.naming import NAME_TEMPLATE, ClusterNames
from ipcluster_azure.plan.arm_template import engine_set_template
from ipcluster_azure.plan.cluster_plan import ClusterPlan, EngineSetPlan, plan_engine_set
from ipcluster_azure.plan.image import Image
from ipcluster_azure.plan.prices import Prices
from ipcluster_azure.plan.requests import ResourceRequest, requests
from ipcluster_azure.plan.resource_types import Json
from ipcluster_azure.plan.vm_sizes import SizeOffer
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.contents import Limits, Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.settings.values import Settings
from ipcluster_azure.ssh.connect import Target
from ipcluster_azure.ssh.keys import make_host_key
from ipcluster_azure.start.cost import expected_cost, limited
from ipcluster_azure.start.deployment import free_names
from ipcluster_azure.start.limits import find_limits
from ipcluster_azure.start.own_files import find_own_files
from ipcluster_azure.start.planning import Site, put_on_record
from ipcluster_azure.start.preflight import find_place
from ipcluster_azure.start.request import JobFile, ProcessSpec, StartContext
from ipcluster_azure.start.sizes import Market, controller_sizes, engine_sizes

from ..plans import launcher

NAMES = ClusterNames("ipp-azure-0a1b2c3d")
OFFERS = {
    "standard_d4s_v5": SizeOffer(4, zones=("1", "2")),
    "standard_f8s_v2": SizeOffer(8, zones=("1", "2")),
}
IMAGE = Image(size_gb=30)
PRICES = Prices({"standard_d4s_v5": {"Regular": 0.1}}, {"E4": 0.09 * 730}, 0.01)
OWN_ADDRESS = "203.0.113.7"
PARAMETERS = {"sshPublicKey": "ssh-rsa AAAA", "customData": "I2Nsb3Vk"}
ELSEWHERE = {"subscription_id": "00000000-1111-2222-3333-444444444444"}


class Azure:
    """Stands for what is outside: notes what is `asked` of Azure and of the address service.

    The user has every right in the group `team`; the controller's machine never answers.
    """

    endpoint = Endpoint("https://management.azure.com", "https://management.azure.com")

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        monkeypatch.setattr("urllib.request.urlopen", self._urlopen)
        monkeypatch.setattr("ipcluster_azure.start.start_controller.connect", self._connect)
        monkeypatch.setattr("ipcluster_azure.start.preflight.check_login", lambda *_: "")

    def listed(self, path: str, api_version: str, **options: str) -> list[Json]:
        self.asked.append(path)
        return [{"actions": ["*"], "notActions": []}]

    def group_exists(self, name: str) -> bool:
        return name == "team"

    def _urlopen(self, url: str, timeout: float) -> io.BytesIO:
        self.asked.append(url)
        return io.BytesIO(OWN_ADDRESS.encode())

    async def _connect(self, target: Target, *, timeout_s: float) -> NoReturn:
        raise BootTimeout(f"{timeout_s}")


@dataclass(frozen=True)
class Start:
    """`requests` are the controller's and, at the end, the scale set's of `n` engines."""

    context: StartContext
    settings: Settings
    plan: ClusterPlan
    engines: EngineSetPlan
    record: Record
    requests: list[ResourceRequest]
    asked: list[str]

    def body(self, kind: str) -> Json:
        """The body of the one request for a resource of this type."""
        (found,) = [item.body for item in self.requests if item.type == kind]
        return found


def start_with(
    azure: Azure,
    profile_dir: Path,
    n: int = 8,
    submit: Callable[[Json], None] = lambda template: None,
    **traits: Any,
) -> Start:
    """Take the way that a start of `n` engines takes from its settings to its requests.

    `submit` is called when the record is written, as by the launcher that writes the job file.
    """
    job = JobFile(profile_dir / "job.json", submit)
    return asyncio.run(_start(azure, profile_dir, n, {**ELSEWHERE, **traits}, job))


async def _start(
    azure: Any, profile_dir: Path, n: int, traits: dict[str, Any], job: JobFile
) -> Start:
    context = context_in(profile_dir)
    place = await find_place(launcher(**traits).settings())
    settings, market = place.settings, Market(OFFERS, {})
    names = await free_names(azure, context.file, place)
    if settings.name_template == NAME_TEMPLATE:
        names = NAMES
    limits: Limits = await find_limits(azure, settings)
    sizes = tuple(controller_sizes(settings, market))
    folder = profile_dir / "work"
    folder.mkdir(parents=True)
    (folder / "mymodule.py").write_text("x = 1")
    (folder / "data.csv").write_text("1,2")
    own_files = find_own_files(settings, context.file, str(folder), [])
    cost = expected_cost(settings, PRICES, IMAGE, sizes, [])
    limits = limited(limits, cost, datetime.now(timezone.utc))
    site = Site(place, names, sizes, limits, own_files=own_files, cost=cost)
    key = make_host_key()  # quicker to make than a login key
    record, asked_for = put_on_record(context, site, job, ProcessSpec(), key, lambda: None)
    plan = record.plan
    size = engine_sizes(settings, market, n, site.sizes[0])[0]
    engines = plan_engine_set(settings, plan, set_id="s", n=n, size=size)
    asked_for += requests(engine_set_template(plan, engines), PARAMETERS, plan)
    return Start(context, settings, plan, engines, record, asked_for, list(azure.asked))


def context_in(profile_dir: Path) -> StartContext:
    folder = profile_dir / "profile_azure"
    return StartContext(RecordFile.of(str(folder), ""), Progress(logging.getLogger("test")))
