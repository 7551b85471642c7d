"""How long Azure takes: drawn from quantiles of recorded operations, in seconds.

Each table lists (quantile, seconds); between two quantiles the value is interpolated linearly.
"""

from __future__ import annotations

import random
from bisect import bisect_right

Quantiles = tuple[tuple[float, float], ...]

TABLES: dict[str, Quantiles] = {
    # VNet, NSG: median 3 s, p90 10-11 s.
    "network": ((0.0, 1.0), (0.25, 2.5), (0.5, 3.0), (0.9, 10.5), (1.0, 14.0)),
    # Public IP: median 1 s, p90 3 s.
    "public_ip": ((0.0, 0.5), (0.5, 1.0), (0.9, 3.0), (1.0, 5.0)),
    # Deleting a network resource: about as long as writing it, NICs somewhat longer.
    "network_delete": ((0.0, 1.0), (0.5, 4.0), (0.9, 11.0), (1.0, 20.0)),
    # Linux VM creation of 2021: p25 25 s, median 27.5 s, p90 52 s, longest 66 s.
    "vm_create": ((0.0, 20.0), (0.25, 25.0), (0.5, 27.5), (0.9, 52.0), (1.0, 66.0)),
    "vm_update": ((0.0, 5.0), (0.5, 15.0), (1.0, 40.0)),
    "vm_delete": ((0.0, 32.0), (0.25, 40.0), (0.5, 44.0), (0.9, 136.0), (1.0, 325.0)),
    "vm_delete_force": ((0.0, 20.0), (0.5, 40.0), (1.0, 60.0)),
    "vm_power": ((0.0, 10.0), (0.5, 30.0), (1.0, 90.0)),
    "disk": ((0.0, 0.2), (0.5, 0.5), (0.9, 3.0), (1.0, 10.0)),
    # Recorded: 30 to 55 s.
    "run_command": ((0.0, 25.0), (0.5, 32.0), (1.0, 55.0)),
    # The scale set's own part, on top of its slowest machine.
    "scale_set": ((0.0, 0.5), (0.5, 1.5), (1.0, 4.0)),
    # What the deployment engine itself takes before it begins.
    "deployment": ((0.0, 1.0), (0.5, 2.0), (1.0, 5.0)),
    "group_delete": ((0.0, 60.0), (0.25, 190.0), (0.5, 339.0), (0.9, 800.0), (1.0, 2435.0)),
    # The first request for Scheduled Events, which switches them on.
    "scheduled_events": ((0.0, 0.1), (0.5, 20.0), (1.0, 120.0)),
    # sshd answers this long after the VM operation succeeded.
    "boot_lag": ((0.0, 0.0), (0.5, 2.0), (0.9, 6.0), (1.0, 12.0)),
}


class Durations:
    """Draws how long operations take, in Azure's seconds; the clock makes real ones of them."""

    def __init__(self, stream: random.Random) -> None:
        self._random = stream

    def draw(self, name: str) -> float:
        return quantile(TABLES[name], self._random.random())


def quantile(table: Quantiles, share: float) -> float:
    """Return the value below which `share` (0 to 1) of the table's draws lie."""
    upper = min(bisect_right([point for point, _ in table], share), len(table) - 1)
    (left, low), (right, high) = table[upper - 1], table[upper]
    return low + (high - low) * (share - left) / (right - left)
