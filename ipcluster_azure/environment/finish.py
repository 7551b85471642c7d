"""Packages with all their wheels -> each with the one that machines get, at an address or here."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigurationError
from .carry import Carrier
from .choose import Chooser
from .fetch import fetch
from .indexes import Indexes
from .lock import Locked, Wheel
from .resolve import Found


def finish(
    packages: Iterable[Found], chooser: Chooser, carrier: Carrier, indexes: Indexes, folder: Path
) -> list[Locked]:
    """Choose a wheel for each, and put those into `folder` that the machines can't fetch.

    Raises ConfigurationError that names all that can't be had.
    """
    chosen = [(package, _wheel(package, chooser, carrier)) for package in packages]
    if faults := [f"{item.name} {item.version}" for item, wheel in chosen if wheel is None]:
        raise ConfigurationError(
            f"No wheel of {', '.join(faults)} is for Linux on {chooser.target.architecture} with "
            f"Python {chooser.target.python}, nor could one be built here. Leave it out with "
            "c.AzureVMLauncher.sync_exclude, or take another version with "
            "c.AzureVMLauncher.requirements."
        )
    wheels = {package.name: wheel for package, wheel in chosen if wheel is not None}
    brought = [name for name, wheel in wheels.items() if _is_brought(wheel, indexes)]
    fetched = fetch([wheels[name] for name in brought], folder, indexes)
    wheels |= dict(zip(brought, fetched, strict=True))
    return [Locked(package.name, package.version, wheels[package.name]) for package, _ in chosen]


def _wheel(package: Found, chooser: Chooser, carrier: Carrier) -> Wheel | None:
    """An index's own wheel is preferred to one that would be built from its sources."""
    best = chooser.best(package.wheels)
    if best is None and package.source:
        return carrier.built(package.source)
    return best


def _is_brought(wheel: Wheel, indexes: Indexes) -> bool:
    return wheel.path is not None or not wheel.sha256 or indexes.stays_here(wheel.url)
