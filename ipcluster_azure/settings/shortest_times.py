"""How short the settings that are times may be, where they are not 0, which means "no limit". Pure.

On Azure nothing is there sooner than a machine boots. The emulator's machines boot in a moment.
"""

from dataclasses import dataclass

from ..errors import ConfigurationError
from .values import Settings

SHORTEST_LIFETIME_H = 5 / 60  # a cluster that ends sooner has not computed anything


@dataclass(frozen=True)
class Shortest:
    """The least that makes sense on Azure, in the setting's own unit, and on the emulator."""

    on_azure: float
    on_emulator: float
    why: str


A_SECOND_H, A_SECOND_MIN = 1 / 3600, 1 / 60  # the guard looks once a second
SHORTEST = {
    "max_lifetime_h": Shortest(
        round(SHORTEST_LIFETIME_H, 3),
        A_SECOND_H,
        "the cluster would be deleted before it has computed anything; 0 sets no limit",
    ),
    "idle_timeout_min": Shortest(
        1,
        A_SECOND_MIN,
        "the cluster would be deleted between two tasks; 0 sets no limit",
    ),
    "boot_timeout_s": Shortest(30, 1, "no machine of Azure's answers that soon"),
}


def check_times(settings: Settings) -> None:
    """Raise ConfigurationError for a time that is too short for anything to happen in it."""
    for name, shortest in SHORTEST.items():
        value = getattr(settings, name)
        least = shortest.on_emulator if settings.uses_emulator else shortest.on_azure
        if 0 < value < least:
            raise ConfigurationError(
                f"{name} must be at least {least:.3g}, not {value:.3g}: {shortest.why}."
            )
