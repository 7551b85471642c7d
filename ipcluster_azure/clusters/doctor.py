"""`ipcluster-azure doctor`: looks at all that a start needs, and creates nothing.

Each check calls the code of a start that would refuse, so both judge alike. It gives one line:
what was found, or what is wrong and what to type.
"""

import asyncio
import importlib.metadata
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ipyparallel.cluster.cluster import Cluster
from traitlets import TraitError
from traitlets.config import Config

from ..errors import AccessDenied, AzureLauncherError, ConfigurationError
from ..formatting import counted
from ..launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ..naming import ClusterNames
from ..plan.cluster_plan import check_engine_count
from ..record.contents import Limits
from ..record.file import RecordFile
from ..resource_ids import parse_id
from ..resource_manager.api import AzureApi
from ..resource_manager.azure_time import azure_now
from ..resource_manager.credentials import check_login
from ..resource_manager.images import find_image
from ..resource_manager.role import ACTIONS, GROUP, SELF_DELETION_ACTIONS, lacking
from ..settings.image_reference import parse_image
from ..settings.values import Settings
from ..start.cost import cost_in_words, expected_cost, limited, priced
from ..start.engine_identity import check_identity
from ..start.limits import granted
from ..start.planning import Site, plan_controller, plans_with_room
from ..start.preflight import Place, find_place
from ..start.profile_trial import prepare
from ..start.sizes import controller_sizes, engine_sizes, look
from ..start.subnet_rules import check_subnet
from .old_spelling import advice, translated

PROVIDERS_API = "2021-04-01"
PROVIDERS = ("Microsoft.Compute", "Microsoft.Network")
OF_SUBSCRIPTION = (
    "Microsoft.Resources/subscriptions/resources/read",
    "Microsoft.Compute/skus/read",
    "Microsoft.Compute/locations/usages/read",
)
OF_NEW_GROUPS = (f"{GROUP}/write", f"{GROUP}/delete")
PACKAGES = (
    "ipyparallel",
    "ipcluster-azure",
    "azure-mgmt-resource",
    "azure-mgmt-compute",
    "azure-identity",
    "asyncssh",
)
# checks whose failure keeps no later one from being made
LEAVES = ("versions", "profile", "address", "providers", "rights", "sizes and quota")
OK, WARNING, FAILED, UNKNOWN, SKIPPED = "ok", "warning", "failed", "unknown", "skipped"


@dataclass(frozen=True)
class Finding:
    """The result of one check, `what`; `text` says what was found, or what is wrong.

    `state`: OK; WARNING if a start goes well, but something else won't; FAILED; UNKNOWN if the
    caller has no right to see it; SKIPPED if an earlier check failed without which this one can't
    be made.
    """

    what: str
    state: str
    text: str


class _Doubt(Exception):
    """A check that a start passes, with something to be said all the same."""


class Examination:
    """The checks of one profile, for a start of `n` engines."""

    def __init__(self, profile_dir: Path, config: Config, n: int) -> None:
        self._profile_dir, self._config, self._n = profile_dir, config, n
        self._engine_settings: Settings
        self._settings: Settings
        self._place: Place
        self._api: AzureApi
        self._resources = ExitStack()

    def findings(self) -> Iterator[Finding]:
        """Make the checks in turn; after one that others depend on has failed, skip the rest."""
        checks: tuple[tuple[str, Callable[[], str]], ...] = (
            ("versions", self._versions),
            ("profile", self._launchers),
            ("settings", self._check_settings),
            ("subscription", self._subscription),
            ("address", self._address),
            ("login", self._login),
            ("endpoint", self._answers),
            ("providers", self._providers),
            ("rights", self._rights),
            ("sizes and quota", self._sizes),
        )
        failed = ""
        with self._resources:
            for what, check in checks:
                if failed:
                    yield Finding(what, SKIPPED, f"needs {failed}")
                    continue
                found = _looked_at(what, check)
                yield found
                failed = what if found.state == FAILED and what not in LEAVES else ""
            if not failed and self._place.settings.subnet_id:
                yield _looked_at("subnet", self._subnet)
            if not failed and self._engine_settings.engine_identity:
                yield _looked_at("engine identity", self._identity)

    def _versions(self) -> str:
        versions = (f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
        return f"Python {platform.python_version()}, {', '.join(versions)}"

    def _launchers(self) -> str:
        config, old = translated(self._config)
        try:
            cluster = Cluster(
                config=config, profile_dir=str(self._profile_dir), shutdown_atexit=False
            )
            classes = (cluster.controller_launcher_class, cluster.engine_launcher_class)
        except TraitError as error:
            raise ConfigurationError(f"{error} Set both to 'azurevm'.") from error
        wanted = (AzureVMControllerLauncher, AzureVMEngineSetLauncher)
        for kind, ours, name in zip(classes, wanted, ("controller", "engine"), strict=True):
            if not issubclass(kind, ours):
                raise ConfigurationError(
                    f"{name}s are started by {kind.__name__}: write c.Cluster.{name}_launcher_class"
                    f" = 'azurevm' into {self._profile_dir / 'ipcluster_config.py'}."
                )
        if old:
            raise _Doubt(advice(self._profile_dir.name.removeprefix("profile_"), old))
        return f"{self._profile_dir} starts clusters on Azure"

    def _check_settings(self) -> str:
        given = {"config": self._config, "profile_dir": str(self._profile_dir)}
        controller, engines = AzureVMControllerLauncher(**given), AzureVMEngineSetLauncher(**given)
        self._settings, self._engine_settings = controller.settings(), engines.settings()
        check_engine_count(self._engine_settings, self._n)
        trying = prepare(controller.log, "", controller=controller.trial(), engines=engines.trial())
        asyncio.run(trying)
        return "all values are valid"

    def _subscription(self) -> str:
        without_address = replace(self._settings, ssh_source=())
        self._place = asyncio.run(find_place(without_address))
        return self._place.settings.subscription_id

    def _address(self) -> str:
        self._place = asyncio.run(find_place(self._settings))
        return f"SSH will be allowed from {', '.join(self._place.ssh_sources)}"

    def _login(self) -> str:
        kind = check_login(self._place.endpoint, self._place.settings.subscription_id)
        return f"a login was found: {kind}"

    def _answers(self) -> str:
        settings = self._place.settings
        api = AzureApi(self._place.endpoint, settings.subscription_id)
        self._api = self._resources.enter_context(api)
        group = settings.resource_group
        if not self._api.group_exists(group or "ipcluster-azure-probe") and group:
            raise ConfigurationError(
                f"Resource group {group} doesn't exist. Create it with `az group create --name "
                f"{group} --location {settings.location}`."
            )
        return f"{self._place.endpoint.url} answers"

    def _providers(self) -> str:
        for name in PROVIDERS:
            found = self._api.read(
                f"providers/{name}", PROVIDERS_API, doing=f"reading whether {name} is registered"
            )
            if found["registrationState"] != "Registered":
                raise ConfigurationError(
                    f"{name} is {found['registrationState']}. Run `az provider register "
                    f"--namespace {name} --subscription {self._api.subscription_id}`."
                )
        return f"{' and '.join(PROVIDERS)} are registered"

    def _rights(self) -> str:
        group = self._settings.resource_group
        roles = granted(self._api, "")
        needed = (*ACTIONS, *(SELF_DELETION_ACTIONS if self._requires_self_deletion else ()))
        missing = lacking(roles, OF_SUBSCRIPTION if group else needed)
        if group:
            roles = granted(self._api, group)
            rest = (item for item in needed if item not in (*OF_SUBSCRIPTION, *OF_NEW_GROUPS))
            missing += lacking(roles, rest)
        if missing:
            raise AzureLauncherError(
                f"You lack the right to {', '.join(missing)}. Ask for a role that has it: "
                "`ipcluster-azure doctor --role` prints one."
            )
        if lacking(roles, SELF_DELETION_ACTIONS):
            return "all that a start needs, but not those that self_deletion needs"
        return "all that a start needs"

    @property
    def _requires_self_deletion(self) -> bool:
        return self._settings.self_deletion == "required"

    def _sizes(self) -> str:
        settings = self._place.settings
        there = replace(self._engine_settings, location=settings.location)
        market = asyncio.run(look(self._api, settings, self._profile_dir, there.vm_size))
        controllers, image = controller_sizes(settings, market), market.image
        controller = controllers[0]
        if there.image != settings.image:
            looking = find_image(self._api, parse_image(there.image), there.location)
            market = replace(market, image=asyncio.run(looking))
        sizes = engine_sizes(there, market, self._n, controller)
        file = RecordFile.of(str(self._profile_dir), "")
        names = ClusterNames.for_cluster(file.profile, file.cluster_id, settings.name_template)
        cluster = plan_controller(file, Site(self._place, names, (controller,), Limits()))
        plans = plans_with_room(there, cluster, "", self._n, sizes)
        plans = priced(plans, market.prices, market.image)
        cost = expected_cost(settings, market.prices, image, controllers, plans)
        now = azure_now(self._place.endpoint)
        limits = limited(Limits(), cost, now)
        return (
            f"room for {counted(self._n, 'engine')} on {plans[0].vm_count} x "
            f"{plans[0].machine.vm_size}, and for the controller on {controller}; "
            f"{cost_in_words(cost, limits, now, now)}"
        )

    def _subnet(self) -> str:
        asyncio.run(check_subnet(self._api, self._place))
        subnet = parse_id(self._place.settings.subnet_id).name
        return f"{subnet}: none of its rules that can be seen keeps SSH out"

    def _identity(self) -> str:
        identity = self._engine_settings.engine_identity
        asyncio.run(check_identity(self._api, identity))
        return f"{parse_id(identity).name}: nothing speaks against giving it to the engines"


def _looked_at(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, OK, check())
    except _Doubt as doubt:
        return Finding(what, WARNING, str(doubt))
    except AccessDenied as error:
        return Finding(what, UNKNOWN if what in ("providers", "rights") else FAILED, str(error))
    except AzureLauncherError as error:
        return Finding(what, FAILED, str(error))
