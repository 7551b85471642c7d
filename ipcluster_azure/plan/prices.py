"""List prices, and what machines cost an hour by them. Pure; US dollars, without taxes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

HOURS_A_MONTH = 730  # by which Azure counts what is priced by the month
REGULAR, SPOT = "Regular", "Spot"
# GiB that the steps of managed disks have: a disk is billed as the next that is as large
DISK_STEPS_GIB = {
    1: 4, 2: 8, 3: 16, 4: 32, 6: 64, 10: 128, 15: 256, 20: 512, 30: 1024, 40: 2048, 50: 4096
}  # fmt: skip


@dataclass(frozen=True)
class Rate:
    """US dollars an hour. `unknown` names what is not among them, as no price of it is known."""

    usd: float = 0.0
    unknown: tuple[str, ...] = ()

    def __add__(self, other: "Rate") -> "Rate":
        more = tuple(name for name in other.unknown if name not in self.unknown)
        return Rate(self.usd + other.usd, self.unknown + more)

    def times(self, count: int) -> "Rate":
        return Rate(self.usd * count, self.unknown if count else ())


@dataclass(frozen=True)
class Prices:
    """What is known of the prices in one region; what isn't there is not known.

    `machines`: US dollars an hour of Linux machines, by size in lower case and by priority;
    `disks`: US dollars a month, by step, such as "E4"; `address`: US dollars an hour.
    `source` says where they are from, and `problem` why some are not known.
    """

    machines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    disks: Mapping[str, float] = field(default_factory=dict)
    address: float | None = None
    source: str = ""
    problem: str = ""

    def machine(self, size: str, priority: str) -> Rate:
        """The rate of a machine without its disk."""
        usd = self.machines.get(size.lower(), {}).get(priority)
        name = f"{size} (Spot)" if priority == SPOT else size
        return Rate(0.0, (name,)) if usd is None else Rate(usd)

    def disk(self, size_gib: int) -> Rate:
        """The rate of an OS disk; 0: its size is not known."""
        step = disk_step(size_gib)
        usd = self.disks.get(step)
        if usd is None:
            return Rate(0.0, (f"disk {step}" if step else "the disks",))
        return Rate(usd / HOURS_A_MONTH)

    def public_address(self) -> Rate:
        return Rate(0.0, ("the address",)) if self.address is None else Rate(self.address)


NO_PRICES = Prices()


def disk_step(size_gib: int) -> str:
    """The step by which a Standard SSD of this size is billed, such as "E4"; empty if unknown."""
    fitting = [number for number, most in DISK_STEPS_GIB.items() if size_gib <= most]
    return f"E{fitting[0]}" if size_gib > 0 and fitting else ""
