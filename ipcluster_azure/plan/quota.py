"""What a cluster needs of the subscription's quotas, and whether that is left. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..formatting import counted
from .vm_sizes import VmSize

TOTAL, SPOT = "cores", "lowPriorityCores"  # of a region; names as Microsoft.Compute/usages has them
WHERE = "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"


@dataclass(frozen=True)
class Usage:
    """A quota of the subscription in one region, in vCPUs; `spoken` is its name in the portal."""

    spoken: str
    limit: int
    used: int


@dataclass(frozen=True)
class Need:
    """Machines that a cluster needs: `count` of one size, "Regular" or "Spot" by `priority`."""

    size: VmSize
    count: int
    priority: str

    @property
    def vcpus(self) -> int:
        return self.size.vcpus * self.count

    @property
    def quotas(self) -> tuple[str, ...]:
        """Names of the quotas that these machines count against."""
        return (SPOT,) if self.priority == "Spot" else (self.size.family, TOTAL)

    def __str__(self) -> str:
        return f"{self.count} x {self.size.name}"


def shortage(usages: Mapping[str, Usage], needs: Sequence[Need], location: str) -> str:
    """Return a message about the first quota that is too small for all `needs` together.

    Empty if none is. `usages` are by lower-case name; a quota that is not among them has no limit.
    """
    wanted: dict[str, int] = {}
    for need in needs:
        for name in need.quotas:
            wanted[name] = wanted.get(name, 0) + need.vcpus
    for name, vcpus in wanted.items():
        usage = usages.get(name.lower())
        if usage is not None and usage.used + vcpus > usage.limit:
            return _in_words(name, usage, vcpus, needs, location)
    return ""


def _in_words(name: str, usage: Usage, vcpus: int, needs: Sequence[Need], location: str) -> str:
    machines = " and ".join(str(need) for need in needs if name in need.quotas)
    return (
        f"The quota '{usage.spoken}' ({name}) in {location} is too small: {machines} need "
        f"{counted(vcpus, 'vCPU')}, and {usage.used} of {usage.limit} are in use. Ask for at least "
        f"{usage.used + vcpus} at {WHERE}, or use fewer engines, another vm_size or another "
        "location."
    )
