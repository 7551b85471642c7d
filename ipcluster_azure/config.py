"""Every setting once: trait, default, unit and help; and their frozen, validated form.

`AzureVMLauncher` is the common base of both launchers, so that a setting given as
`c.AzureVMLauncher.location = "eastus"` holds for both, and one given to
AzureVMControllerLauncher or AzureVMEngineSetLauncher for that one alone.
"""

import difflib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ipyparallel.cluster.launcher import BaseLauncher
from traitlets import Bool, Dict, Enum, Float, Integer, List, TraitError, Unicode, Union
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from .errors import ConfigurationError
from .naming import MAX_TAG_VALUE, TAG_PREFIX

EMULATOR = "emulator"
PUBLIC_CLOUD = "https://management.azure.com"
SECTIONS = ("AzureVMLauncher", "AzureVMControllerLauncher", "AzureVMEngineSetLauncher")
RESERVED_USERS = frozenset(
    "admin administrator root user test guest console david john support sys server sql aspnet "
    "backup owner actuser adm a 1 123 user1 user2 user3 user4 user5 test1 test2 test3".split()
)


@dataclass(frozen=True)
class Settings:
    """The settings of one launcher, validated; field names are the traits' names."""

    subscription_id: str
    location: str
    resource_group: str
    tags: Mapping[str, str]
    vm_size: tuple[str, ...]
    image: str
    os_disk_gb: int
    admin_username: str
    ssh_source: tuple[str, ...]
    public_ip_service: str
    ssh_port: int
    address_prefix: str
    subnet_id: str
    public_ip: bool
    priority: str
    python_environment: str
    image_python: str
    requirements: tuple[str, ...]
    boot_timeout_s: float
    max_lifetime_h: float
    max_engines: int
    min_engines: int
    engines_per_vm: int
    endpoint: str
    audience: str

    @property
    def uses_emulator(self) -> bool:
        return self.endpoint == EMULATOR


class AzureVMLauncher(BaseLauncher):  # type: ignore[misc]
    """Settings shared by the launchers for controllers and engines on Azure virtual machines."""

    subscription_id = Unicode(
        "",
        config=True,
        help="Azure subscription to create everything in. Empty: $AZURE_SUBSCRIPTION_ID, else the "
        "default subscription of `az login`.",
    )
    location = Unicode(
        "eastus", config=True, help="Azure region, for example eastus or westeurope."
    )
    resource_group = Unicode(
        "",
        config=True,
        help="Existing resource group to create everything in; it is never deleted itself. Empty: "
        "a group of its own for each cluster, deleted with it.",
    )
    tags = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        config=True,
        help="Tags for every resource, in addition to those that mark the cluster.",
    )
    vm_size = Union(
        [Unicode(), List(Unicode())],
        default_value="Standard_D4s_v5",
        config=True,
        help="VM size, or a list of sizes: the first that the subscription may use in the "
        "location is taken. Set on AzureVMControllerLauncher or AzureVMEngineSetLauncher it holds "
        "for that side alone.",
    )
    image = Unicode(
        "Canonical:ubuntu-24_04-lts:server:latest",
        config=True,
        help="Linux image with cloud-init: a URN publisher:offer:sku:version, or the resource id "
        "of an image of your own.",
    )
    os_disk_gb = Integer(
        0, min=0, max=4095, config=True, help="Size of the OS disk in GiB. 0: the image's own."
    )
    admin_username = Unicode(
        "azureuser", config=True, help="Name of the user that is made on the machines."
    )
    ssh_source = Union(
        [Unicode(), List(Unicode())],
        default_value="auto",
        config=True,
        help="Addresses allowed to reach the SSH port: a CIDR or a list of CIDRs. `auto`: this "
        "computer's own public address, asked of public_ip_service; with endpoint `emulator`: the "
        "loopback network.",
    )
    public_ip_service = Unicode(
        "https://api.ipify.org",
        config=True,
        help="HTTPS address that answers with the caller's public IP address as text.",
    )
    ssh_port = Integer(
        0,
        min=0,
        max=65535,
        config=True,
        help="Port of the machines' SSH servers. 0: 22, or what the emulator offers.",
    )
    address_prefix = Unicode(
        "",
        config=True,
        help="Address space of the virtual network, /8 to /25. Empty: 10.42.0.0/16, or an unused "
        "network that the emulator offers.",
    )
    subnet_id = Unicode(
        "",
        config=True,
        help="Resource id of an existing subnet to place the machines in; it is never deleted. "
        "Empty: a virtual network of its own.",
    )
    public_ip = Bool(
        True,
        config=True,
        help="Give the controller a public address. False: it is reached at its private address, "
        "over a VPN or a peering.",
    )
    priority = Enum(
        ["Regular", "Spot"],
        default_value="Regular",
        config=True,
        help="Priority of the engines' machines. Spot is cheaper, and Azure may take it back at "
        "any time. The controller is always Regular.",
    )
    python_environment = Enum(
        ["minimal", "image"],
        default_value="minimal",
        config=True,
        help="`minimal`: this Python's minor version with the same ipyparallel, numpy and the "
        "requirements, built on the controller and copied to the engines. `image`: the "
        "interpreter image_python, which is on the image already.",
    )
    image_python = Unicode(
        "python3",
        config=True,
        help="With python_environment `image`: the interpreter's path or name on the machines; it "
        "must have ipyparallel installed.",
    )
    requirements = List(
        Unicode(),
        config=True,
        help="Further packages for the machines, as pip requirement specifiers.",
    )
    boot_timeout_s = Float(
        600.0,
        config=True,
        help="Seconds within which a machine must answer over SSH after Azure accepted it.",
    )
    max_lifetime_h = Float(
        12.0,
        config=True,
        help="Hours after which the cluster may be deleted by anyone who cleans up; written to "
        "the tags. 0: never.",
    )
    max_engines = Integer(
        1024,
        min=1,
        config=True,
        help="Refuse to start more engines than this in one set: a guard against a slip of the "
        "finger.",
    )
    min_engines = Integer(
        0,
        min=0,
        config=True,
        help="Engines of a set that must register for the start to count as a success. 0: all.",
    )
    engines_per_vm = Integer(
        0, min=0, config=True, help="Engines on each machine. 0: one for each vCPU."
    )
    endpoint = Unicode(
        PUBLIC_CLOUD,
        config=True,
        help="Resource Manager endpoint: https://management.azure.com, another cloud's, or "
        "`emulator` for the local one, which starts by itself and needs no account.",
    )
    audience = Unicode(
        "",
        config=True,
        help="Audience of the access token. Empty: the endpoint's own.",
    )

    _unusable: str = ""

    def _load_config(self, cfg: Any, *args: Any, **kwargs: Any) -> None:
        """Keep what a bad value says for `settings()`.

        The constructor runs where ipcluster would log the exception and then hang for ever.
        """
        try:
            super()._load_config(cfg, *args, **kwargs)
        except TraitError as error:
            self._unusable = str(error)

    def settings(self) -> Settings:
        """The frozen settings. Raises ConfigurationError naming the first that can't be."""
        if self._unusable:
            raise ConfigurationError(f"Bad setting: {self._unusable}")
        check_names(self.config)
        names = [field.name for field in fields(Settings)]
        values = {name: _frozen(getattr(self, name)) for name in names}
        for name in ("vm_size", "ssh_source"):
            if isinstance(values[name], str):
                values[name] = (values[name],)
        values["endpoint"] = values["endpoint"].rstrip("/")
        settings = Settings(**values)
        _check_values(settings)
        return settings


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def setting_names() -> dict[str, str]:
    """Name -> help of every trait that this package adds; the reference page is made of it."""
    own = AzureVMLauncher.class_own_traits(config=True)
    return {name: trait.help for name, trait in sorted(own.items())}


def check_names(config: Config) -> None:
    """Raise ConfigurationError if a section or a setting for our launchers doesn't exist."""
    for section in config:
        if section.lower().startswith("azurevm") and section not in SECTIONS:
            raise ConfigurationError(
                f"There is no c.{section} to configure{_did_you_mean(section, SECTIONS)}. "
                f"Settings of ipcluster-azure belong to {', '.join(SECTIONS)}."
            )
    valid = _valid_names()
    for section in SECTIONS:
        if section not in config:
            continue
        for name, value in config[section].items():
            if name not in valid and not isinstance(value, LazyConfigValue):
                raise ConfigurationError(
                    f"c.{section}.{name} is not a setting{_did_you_mean(name, valid)}. "
                    f"Valid ones: {', '.join(sorted(valid))}."
                )


def _valid_names() -> set[str]:
    from .launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher

    names: set[str] = set()
    for launcher in (AzureVMControllerLauncher, AzureVMEngineSetLauncher):
        names.update(launcher.class_trait_names(config=True))
    return names


def _did_you_mean(name: str, valid: Any) -> str:
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _check_values(settings: Settings) -> None:
    _check_place(settings)
    _check_network(settings)
    _check_tags(settings.tags)
    if settings.boot_timeout_s <= 0:
        raise ConfigurationError(f"boot_timeout_s must be positive, not {settings.boot_timeout_s}.")
    if settings.max_lifetime_h < 0:
        raise ConfigurationError(f"max_lifetime_h can't be negative: {settings.max_lifetime_h}.")
    for requirement in settings.requirements:
        if not requirement.strip() or requirement.lstrip().startswith("-") or "\n" in requirement:
            raise ConfigurationError(f"requirements: {requirement!r} is not a package requirement.")


def _check_place(settings: Settings) -> None:
    if not settings.uses_emulator and not settings.endpoint.startswith("https://"):
        raise ConfigurationError(
            f"endpoint must be 'emulator' or begin with https://, not {settings.endpoint!r}."
        )
    if not re.fullmatch(r"[a-z0-9]+", settings.location):
        raise ConfigurationError(
            f"location {settings.location!r} is not a region's name; `az account list-locations "
            "-o table` lists them, for example eastus."
        )
    if not settings.vm_size or not all(settings.vm_size):
        raise ConfigurationError("vm_size must name at least one VM size, e.g. Standard_D4s_v5.")
    user = settings.admin_username
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user) or user in RESERVED_USERS:
        raise ConfigurationError(f"admin_username {user!r} is not a user name that Azure accepts.")
    if not settings.image.startswith("/") and len(settings.image.split(":")) != 4:
        raise ConfigurationError(
            f"image {settings.image!r} is neither publisher:offer:sku:version nor a resource id."
        )
    if settings.resource_group and not re.fullmatch(
        r"[\w().-]{0,89}[\w()-]", settings.resource_group
    ):
        raise ConfigurationError(
            f"resource_group {settings.resource_group!r} is not a legal name in Azure."
        )


def _check_network(settings: Settings) -> None:
    for source in settings.ssh_source:
        if source != "auto":
            _network("ssh_source", source)
    if settings.address_prefix:
        prefix = _network("address_prefix", settings.address_prefix)
        if not 8 <= prefix.prefixlen <= 25:
            raise ConfigurationError(f"address_prefix {prefix} must be between /8 and /25.")
    if settings.subnet_id and not re.fullmatch(
        r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network"
        r"/virtualNetworks/[^/]+/subnets/[^/]+",
        settings.subnet_id,
        re.IGNORECASE,
    ):
        raise ConfigurationError(f"subnet_id {settings.subnet_id!r} is not a subnet's resource id.")


def _network(name: str, text: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} {text!r} is not an IPv4 network: {error}.") from None


def _check_tags(tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        if not name or len(name) > 512 or re.search(r"[<>%&\\?/]", name):
            raise ConfigurationError(f"tags: {name!r} is not a tag name that Azure accepts.")
        if len(value) > MAX_TAG_VALUE:
            raise ConfigurationError(f"tags: the value of {name!r} is over {MAX_TAG_VALUE} long.")
        if name.lower().startswith(TAG_PREFIX):
            raise ConfigurationError(f"tags: names that begin with {TAG_PREFIX} are reserved.")
