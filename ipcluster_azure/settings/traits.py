"""Every setting once: trait, default, unit and help.

`AzureVMLauncher` is the common base of both launchers, so that a setting given as
`c.AzureVMLauncher.location = "eastus"` holds for both, and one given to
AzureVMControllerLauncher or AzureVMEngineSetLauncher for that one alone.
"""

import difflib
from dataclasses import fields
from typing import Any

from ipyparallel.cluster.launcher import BaseLauncher, ControllerLauncher, EngineLauncher
from traitlets import Bool, Dict, Enum, Float, Integer, List, TraitError, Unicode, Union
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from ..errors import ConfigurationError
from .string_checks import check_cluster_id, check_environment, check_job_file_name, check_texts
from .values import Settings, check_values

PUBLIC_CLOUD = "https://management.azure.com"
SECTIONS = ("AzureVMLauncher", "AzureVMControllerLauncher", "AzureVMEngineSetLauncher")


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
        "location, and has quota for, is taken; if Azure has no room for it, the next. Set on "
        "AzureVMControllerLauncher or AzureVMEngineSetLauncher it holds for that side alone.",
    )
    zones = List(
        Unicode(),
        config=True,
        help='Availability zones to try in turn, for example ["1", "2", "3"]; the machines of one '
        "side are all in one. Empty: Azure chooses.",
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
        help="Give the controller a public address. False: it is reached at its private address in "
        "subnet_id, over a VPN or a peering; to build its Python environment it then needs another "
        "way to a package index.",
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
        help="Hours after which the cluster is deleted, whatever it does. 0: never.",
    )
    idle_timeout_min = Float(
        60.0,
        config=True,
        help="Minutes without a task after which the cluster is deleted. 0: never.",
    )
    self_deletion = Enum(
        ["auto", "required", "off"],
        default_value="auto",
        config=True,
        help="Whether the controller's machine may delete the cluster by itself, when this "
        "computer is off or gone: it gets a managed identity with rights on the cluster's own "
        "resources, for which the user needs the right to assign roles. `auto`: if the user has "
        "it; `required`: refuse to start otherwise; `off`: the machines get no identity.",
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

    job_file_name: str
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
        check_values(settings)
        self._check_strings()
        return settings

    def _check_strings(self) -> None:
        """Of what isn't in the settings: names of files, arguments and variables."""
        check_cluster_id(self.cluster_id)
        check_job_file_name(self.job_file_name.replace("{cluster_id}", self.cluster_id))
        check_environment(self.environment)
        for name in ("controller_args", "engine_args"):
            check_texts(name, getattr(self, name, ()))


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
    """Of both launchers, whichever section they stand in: the shared one is read by both."""
    names = {"job_file_name"}  # the one that each launcher declares for itself
    for kind in (AzureVMLauncher, ControllerLauncher, EngineLauncher):
        names.update(kind.class_trait_names(config=True))
    return names


def _did_you_mean(name: str, valid: Any) -> str:
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
