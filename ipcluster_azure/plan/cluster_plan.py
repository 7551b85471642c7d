"""Settings and a number of engines -> plans: which machines, how many, with which names. Pure."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConfigurationError
from ..formatting import counted
from ..naming import ClusterNames
from ..settings.values import Settings
from .prices import Rate
from .vm_sizes import VmSize

DEFAULT_ADDRESS_PREFIX = "10.42.0.0/16"
CONTROLLER_SUBNET, ENGINE_SUBNET = "controller", "engines"
RESERVED_ADDRESSES = 5  # Azure keeps the first four addresses of a subnet and the last
MAX_VMS_PER_SET = 1000  # of a Flexible scale set; Azure documentation, orchestration modes


@dataclass(frozen=True, kw_only=True)
class MachinePlan:
    """What the machines of one kind have in common.

    The controller's lies in the record: a field that is new needs a default, which is what
    clusters have that were started before there was the field. `purchase_plan` is what an image of
    the Marketplace is bought by, if it is one of those.
    """

    vm_size: str
    image: str
    os_disk_gb: int
    admin_username: str
    priority: str
    zone: str = ""
    security_type: str = ""
    purchase_plan: Mapping[str, str] = field(default_factory=dict)
    boot_diagnostics: bool = False


@dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """The controller's machine and the network around it.

    It lies in the record: a field that is new needs a default, as with MachinePlan.
    """

    subscription_id: str
    resource_group: str
    owns_resource_group: bool
    location: str
    tags: Mapping[str, str]
    names: ClusterNames
    machine: MachinePlan
    ssh_port: int
    ssh_sources: tuple[str, ...]
    public_ip: bool
    address_prefix: str
    subnet_id: str
    identity: bool = False  # the controller's machine gets one, to delete the cluster by itself
    # the one of ssh_sources that is this computer's own, and the service that said so; empty if
    # ssh_source isn't "auto"
    own_source: str = ""
    public_ip_service: str = ""
    extra_vm: Mapping[str, Any] = field(default_factory=dict)
    extra_nic: Mapping[str, Any] = field(default_factory=dict)

    @property
    def controller_prefix(self) -> str:
        """The controller's subnet, of the first 16 addresses: engines can't take its address."""
        network = ipaddress.IPv4Network(self.address_prefix)
        return str(next(network.subnets(new_prefix=28)))

    @property
    def engine_prefix(self) -> str:
        """The engines' subnet, of the upper half of the address space."""
        return str(list(ipaddress.IPv4Network(self.address_prefix).subnets(prefixlen_diff=1))[1])

    @property
    def controller_address(self) -> str:
        """The controller's private address, the first that Azure assigns: known before it is made.

        Empty in an existing subnet, where it may be taken: there it is read from the NIC.
        """
        if self.subnet_id:
            return ""
        return str(ipaddress.IPv4Network(self.controller_prefix)[4])

    def tagged(self, name: str, value: str) -> "ClusterPlan":
        """This plan with another value of one of the tags."""
        return replace(self, tags={**self.tags, name: value})

    def room_for_machines(self, taken: int) -> int:
        """Return how many machines the engines' subnet has room for, beside `taken` others.

        An existing subnet may have any size, so it counts as large enough for one scale set.
        """
        if self.subnet_id:
            return MAX_VMS_PER_SET
        addresses = ipaddress.IPv4Network(self.engine_prefix).num_addresses
        return max(0, addresses - RESERVED_ADDRESSES - taken)


@dataclass(frozen=True, kw_only=True)
class EngineSetPlan:
    """One scale set: `n` engines on `vm_count` machines, `engines_per_vm` on each but the last.

    `rate` is what each machine costs; nothing is asked of Azure by it.
    """

    set_id: str
    scale_set: str
    n: int
    engines_per_vm: int
    vcpus: int
    location: str
    machine: MachinePlan
    identity: str = ""  # the id of a user-assigned one
    extra_scale_set: Mapping[str, Any] = field(default_factory=dict)
    extra_nic: Mapping[str, Any] = field(default_factory=dict)
    gpus: int = 0
    rate: Rate = field(default_factory=Rate)

    @property
    def vm_count(self) -> int:
        """Number of machines: as few as hold the engines."""
        return -(-self.n // self.engines_per_vm)

    def engines_on(self, index: int) -> int:
        """Return how many engines machine `index`, from 0, runs; the last one has what is left."""
        if index < self.vm_count - 1:
            return self.engines_per_vm
        return self.n - self.engines_per_vm * (self.vm_count - 1)


def machine_plan(
    settings: Settings,
    size: VmSize,
    *,
    priority: str = "Regular",
    purchase_plan: Mapping[str, str] | None = None,
) -> MachinePlan:
    """Return what Azure is asked for machines of this size."""
    return MachinePlan(
        vm_size=size.name,
        image=settings.image,
        os_disk_gb=settings.os_disk_gb,
        boot_diagnostics=settings.boot_diagnostics,
        admin_username=settings.admin_username,
        priority=priority,
        zone=size.zone,
        security_type=size.security_type,
        purchase_plan=dict(purchase_plan or {}),
    )


def plan_cluster(
    settings: Settings,
    *,
    names: ClusterNames,
    size: VmSize,
    tags: Mapping[str, str],
    ssh_sources: Sequence[str],
    own_source: str = "",
    identity: bool = False,
    purchase_plan: Mapping[str, str] | None = None,
) -> ClusterPlan:
    """Return the plan of a new cluster.

    `settings` must be complete: subscription, port and address space are no longer empty.
    `purchase_plan` is the image's.
    """
    return ClusterPlan(
        subscription_id=settings.subscription_id,
        resource_group=settings.resource_group or names.base,
        owns_resource_group=not settings.resource_group,
        location=settings.location,
        tags=dict(tags),
        names=names,
        machine=machine_plan(settings, size, purchase_plan=purchase_plan),
        ssh_port=settings.ssh_port,
        ssh_sources=tuple(ssh_sources),
        public_ip=settings.public_ip,
        address_prefix=settings.address_prefix,
        subnet_id=settings.subnet_id,
        identity=identity,
        own_source=own_source,
        public_ip_service=settings.public_ip_service if own_source else "",
        extra_vm=dict(settings.extra_vm),
        extra_nic=dict(settings.extra_nic),
    )


def plan_engine_set(
    settings: Settings,
    cluster: ClusterPlan,
    *,
    set_id: str,
    n: int,
    size: VmSize,
    others: int = 0,
    purchase_plan: Mapping[str, str] | None = None,
) -> EngineSetPlan:
    """Return the plan of n engines more in the cluster.

    `others`: machines of its other engine sets, which have addresses of the same subnet.
    Raises ConfigurationError if so many can't be had at all.
    """
    check_engine_count(settings, n)
    plan = EngineSetPlan(
        set_id=set_id,
        scale_set=cluster.names.scale_set(),
        n=n,
        engines_per_vm=size.engines(settings.engines_per_vm),
        vcpus=size.vcpus,
        gpus=size.gpus,
        location=cluster.location,
        machine=machine_plan(
            settings, size, priority=settings.priority, purchase_plan=purchase_plan
        ),
        identity=settings.engine_identity,
        extra_scale_set=dict(settings.extra_scale_set),
        extra_nic=dict(settings.extra_nic),
    )
    room = min(MAX_VMS_PER_SET, cluster.room_for_machines(others))
    if plan.vm_count > room:
        raise ConfigurationError(
            f"{counted(n, 'engine')} with {plan.engines_per_vm} on each machine: that makes "
            f"{counted(plan.vm_count, 'machine')}, but there is room for {room} in "
            f"{cluster.address_prefix or cluster.subnet_id}. Choose a larger vm_size, more "
            "engines_per_vm or a wider address_prefix."
        )
    return plan


def check_engine_count(settings: Settings, n: int) -> None:
    """Raise ConfigurationError for a number of engines that is surely a mistake."""
    if not isinstance(n, int) or isinstance(n, bool):  # programs may give anything
        raise ConfigurationError(f"The number of engines must be a whole number, not {n!r}.")
    if n < 1:
        raise ConfigurationError(f"The number of engines must be at least 1, not {n}.")
    if n > settings.max_engines:
        raise ConfigurationError(
            f"{n} engines are more than max_engines = {settings.max_engines} allows; set "
            f"c.AzureVMLauncher.max_engines = {n} if you mean it."
        )
    for name in ("min_engines", "ready_engines"):
        if (wanted := getattr(settings, name)) > n:
            raise ConfigurationError(
                f"{name} = {wanted} is more than the number of engines that are asked for, {n}."
            )
