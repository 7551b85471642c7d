"""All settings. Each stands here once, with its type, default and help; its unit is in its name.

A field of `Settings` is what this package reads, the field's trait is what users set. traits.py
gives the traits to the launchers, and makes of their values the `Settings` that every later step
works from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from traitlets import Bool, Dict, Enum, List, TraitType, Unicode, Union

from ..naming import NAME_TEMPLATE
from .fields import setting
from .numbers import BoundedFloat, BoundedInteger

EMULATOR = "emulator"
PUBLIC_CLOUD = "https://management.azure.com"
A_DAY_S = 24 * 3600  # the slowest of 1,000 machines, in a study of Microsoft's, took 40 minutes
A_YEAR_H = 365 * 24  # more is a mistake, as 0 says "never"; the end is a date in the tags
MOST_ENGINES_PER_VM = 2000  # the largest VM size has 1,792 vCPUs (Standard_M1792ixds_32_v3)
MOST_ENGINES = 1000 * MOST_ENGINES_PER_VM  # of the 1,000 machines of a Flexible scale set
MOST_COST_USD = 10_000_000
MOST_SYNC_MB = 2_000  # it is all in memory for a moment
# All settings can stand in the section AzureVMLauncher. Those of either side can differ between
# the sides, those of engines are read by their launcher alone; the others hold for the cluster.
OF_EITHER_SIDE = frozenset("vm_size zones image os_disk_gb boot_timeout_s extra_nic".split())
OF_ENGINES = frozenset(
    "priority max_engines min_engines ready_engines engines_per_vm engine_identity "
    "extra_scale_set".split()
)
# Machines or their network are made by these: under machines that are there they may not change.
MADE_BY = frozenset(
    (
        "endpoint subscription_id location resource_group tags name_template vm_size zones image"
        " boot_diagnostics os_disk_gb admin_username ssh_port address_prefix subnet_id public_ip"
        " max_lifetime_h max_cost self_deletion priority engines_per_vm engine_identity"
        " extra_vm extra_scale_set extra_nic"
    ).split()
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one launcher. They can't change, and value_checks.py has checked them."""

    subscription_id: str = setting(
        Unicode(""),
        "Azure subscription to create everything in. Empty: $AZURE_SUBSCRIPTION_ID, else the "
        "default subscription of `az login`.",
    )
    tenant_id: str = setting(
        Unicode(""),
        "Microsoft Entra tenant to log in to: its id, or one of its domains. Empty: that of the "
        "subscription where `az login` knows it, else that of the login itself.",
    )
    location: str = setting(
        Unicode("eastus"),
        "Azure region, for example eastus or westeurope; the portal's name, East US, will do.",
    )
    resource_group: str = setting(
        Unicode(""),
        "Existing resource group to create everything in; it is never deleted itself. Empty: a "
        "group of its own for each cluster, deleted with it.",
    )
    tags: Mapping[str, str] = setting(
        Dict(key_trait=Unicode(), value_trait=Unicode()),
        "Tags for every resource, in addition to those that mark the cluster.",
    )
    name_template: str = setting(
        Unicode(NAME_TEMPLATE),
        "What the names of all resources of a cluster begin with. {random} stands for eight random "
        "digits and must be there: by its name a cluster is known, also while it is being deleted. "
        "{profile} stands for the profile and the cluster's id, cut to what there is room for.",
    )
    vm_size: tuple[str, ...] = setting(
        Union([Unicode(), List(Unicode())], default_value="Standard_D4s_v5"),
        "VM size, or a list of sizes: the first that the subscription may use in the location, and "
        "has quota for, is taken; if Azure has no room for it, the next. Each must fit the image; "
        "capitals don't matter, and `Standard_` can be left out. Set on AzureVMControllerLauncher "
        "or AzureVMEngineSetLauncher it holds for that side alone.",
    )
    zones: tuple[str, ...] = setting(
        List(Unicode()),
        'Availability zones to try in turn, for example ["1", "2", "3"]; the machines of one side '
        "are all in one. Empty: Azure chooses.",
    )
    image: str = setting(
        Unicode("Canonical:ubuntu-24_04-lts:server:latest"),
        "Linux image with cloud-init: a URN publisher:offer:sku:version, or the id of an image of "
        "your own, in a gallery, or in a community or shared gallery.",
    )
    boot_diagnostics: bool = setting(
        Bool(True),
        "Whether Azure keeps what machines print as they boot, in storage of its own. That of a "
        "machine which never answers is then kept in log/ of the profile; `ipcluster-azure logs "
        "machine NAME --boot` shows it. Azure bills the storage, some megabytes.",
    )
    os_disk_gb: int = setting(
        BoundedInteger(0, min=0, max=4095),
        "Size of the OS disk in GiB, at least the image's. 0: the image's own.",
    )
    admin_username: str = setting(
        Unicode("azureuser"),
        "Name of the user that is made on the machines.",
    )
    ssh_source: tuple[str, ...] = setting(
        Union([Unicode(), List(Unicode())], default_value="auto"),
        "Addresses allowed to reach the SSH port: a CIDR or a list of CIDRs. `auto`: this "
        "computer's own public address, asked of public_ip_service; with endpoint `emulator`: the "
        "loopback network.",
    )
    public_ip_service: str = setting(
        Unicode("https://api.ipify.org"),
        "HTTPS address that answers with the caller's public IP address as text.",
    )
    ssh_port: int = setting(
        BoundedInteger(0, min=0, max=65535),
        "Port of the machines' SSH servers. 0: 22, or what the emulator offers.",
    )
    address_prefix: str = setting(
        Unicode(""),
        "Address space of the virtual network, /8 to /25. Empty: 10.42.0.0/16, or an unused "
        "network that the emulator offers.",
    )
    subnet_id: str = setting(
        Unicode(""),
        "Resource id of an existing subnet to place the machines in; it is never deleted. Empty: a "
        "virtual network of its own.",
    )
    public_ip: bool = setting(
        Bool(True),
        "Give the controller a public address. False: it is reached at its private address in "
        "subnet_id, over a VPN or a peering; to build its Python environment it then needs another "
        "way to a package index.",
    )
    priority: str = setting(
        Enum(["Regular", "Spot"], default_value="Regular"),
        "Priority of the engines' machines. Spot is cheaper, and Azure may take it back at any "
        "time. The controller is always Regular.",
    )
    python_environment: str = setting(
        Enum(["sync", "minimal", "image"], default_value="sync"),
        "What Python the machines run. `sync`: this process' minor version, with the packages that "
        "are installed here and the requirements. `minimal`: with the same ipyparallel and numpy "
        "and the requirements alone. `image`: the interpreter image_python, which is on the image "
        "already.",
    )
    sync_python: str = setting(
        Unicode(""),
        "With python_environment `sync`: path of another interpreter of this computer, whose "
        "packages the machines get. Empty: this process' own.",
    )
    python_lock: str = setting(
        Unicode(""),
        "A file that says which packages the machines get, instead of those installed here: "
        "pylock.toml, uv.lock, pyproject.toml or requirements.txt. Empty: none.",
    )
    sync_exclude: tuple[str, ...] = setting(
        List(Unicode()),
        "Names of packages installed here that the machines are not to have.",
    )
    sync_accept: tuple[str, ...] = setting(
        List(Unicode()),
        "Versions to be taken, as NAME==VERSION, of packages whose version installed here there "
        "isn't for Linux. A start that misses some names them.",
    )
    sync_strict: bool = setting(
        Bool(False),
        "Refuse to start if the machines can't have every package that is installed here; "
        "otherwise those that nothing imported here needs are named, and left out.",
    )
    image_python: str = setting(
        Unicode("python3"),
        "With python_environment `image`: the interpreter's path or name on the machines; it must "
        "have ipyparallel installed.",
    )
    requirements: tuple[str, ...] = setting(
        List(Unicode()),
        "Further packages for the machines, as pip requirement specifiers; they win over the "
        "versions installed here.",
    )
    sync_paths: tuple[str, ...] = setting(
        Union([List(Unicode()), Unicode()], default_value="auto"),
        "Files of yours that all engines get, in their working directory: files, folders and "
        "patterns such as `data/*.csv`, relative to the working directory of the process that "
        "starts the cluster. `auto` among them: the modules and packages there, as a notebook or "
        "script imports them. Empty: none.",
    )
    sync_limit_mb: float = setting(
        BoundedFloat(64.0, min=0, max=MOST_SYNC_MB),
        "Megabytes that the files of sync_paths may have altogether. More is refused, or with "
        "`auto` alone not sent, and said.",
    )
    sync_back: tuple[str, ...] = setting(
        List(Unicode()),
        "Results to bring home before the cluster is deleted: patterns such as `results/*.csv` for "
        "files in the engines' working directories. Empty: none.",
    )
    boot_timeout_s: float = setting(
        BoundedFloat(600.0, min=1, max=A_DAY_S),
        "Seconds within which a machine must answer over SSH after Azure accepted it, at least 30 "
        "but on the emulator.",
    )
    max_lifetime_h: float = setting(
        BoundedFloat(12.0, min=0, max=A_YEAR_H),
        "Hours after which the cluster is deleted, whatever it does, at least 5 minutes. 0: never.",
    )
    idle_timeout_min: float = setting(
        BoundedFloat(60.0, min=0, max=60 * A_YEAR_H),
        "Minutes without a task after which the cluster is deleted, at least 1. 0: never.",
    )
    max_cost: float = setting(
        BoundedFloat(0.0, min=0, max=MOST_COST_USD),
        "US dollars that the cluster may cost by list prices, with disks and address: it is "
        "deleted before it costs more, even if max_lifetime_h is not over. 0: no such limit.",
    )
    self_deletion: str = setting(
        Enum(["auto", "required", "off"], default_value="auto"),
        "Whether the controller's machine may delete the cluster by itself, when this computer is "
        "off or gone: it gets a managed identity with rights on the cluster's own resources, for "
        "which the user needs the right to assign roles. `auto`: if the user has it; `required`: "
        "refuse to start otherwise; `off`: the machines get no identity.",
    )
    max_engines: int = setting(
        BoundedInteger(1024, min=1, max=MOST_ENGINES),
        "Refuse to start more engines than this in one set: a guard against a slip of the finger.",
    )
    min_engines: int = setting(
        BoundedInteger(0, min=0, max=MOST_ENGINES),
        "Engines of a set that must register for the start to count as a success. 0: all.",
    )
    ready_engines: int = setting(
        BoundedInteger(0, min=0, max=MOST_ENGINES),
        "Engines of a set that must register for the start to return; the others join by "
        "themselves as their machines boot. 0: all. `start_and_connect` waits for all of them, "
        "whatever this says.",
    )
    engines_per_vm: int = setting(
        BoundedInteger(0, min=0, max=MOST_ENGINES_PER_VM),
        "Engines on each machine. 0: one for each GPU of its size, or for each vCPU where it has "
        "none.",
    )
    engine_identity: str = setting(
        Unicode(""),
        "Resource id of a user-assigned managed identity, with which tasks can log in to other "
        "services of Azure, without any secret on the machines. Empty: none.",
    )
    extra_vm: Mapping[str, Any] = setting(
        Dict(key_trait=Unicode()),
        "Members to add to the request for the controller's machine, for what no setting covers, "
        'such as {"properties": {"licenseType": "RHEL_BYOS"}}. Dictionaries are merged, lists '
        "replaced. They stand in the job file: no secrets.",
    )
    extra_scale_set: Mapping[str, Any] = setting(
        Dict(key_trait=Unicode()),
        "The same for the request for the engines' scale set, whose machines are described in "
        "properties.virtualMachineProfile.",
    )
    extra_nic: Mapping[str, Any] = setting(
        Dict(key_trait=Unicode()),
        "The same for the machines' network interfaces, of either side, such as "
        '{"properties": {"enableAcceleratedNetworking": True}}.',
    )
    endpoint: str = setting(
        Unicode(PUBLIC_CLOUD),
        "Resource Manager endpoint: https://management.azure.com, another cloud's, or `emulator` "
        "for the local one, which starts by itself and needs no account.",
    )
    audience: str = setting(
        Unicode(""),
        "Audience of the access token. Empty: the endpoint's own.",
    )

    @property
    def uses_emulator(self) -> bool:
        """Return whether the cluster is to run on the local emulator of Azure."""
        return self.endpoint == EMULATOR


TRAITS: dict[str, TraitType[Any, Any]] = {
    item.name: item.metadata["trait"] for item in fields(Settings)
}
