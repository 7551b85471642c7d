"""Packages with all their wheels -> each with the one that machines get, at an address or here."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from ..errors import ConfigurationError
from .carry import Carrier
from .fetch import fetch, try_to_fetch
from .indexes import Indexes
from .installed import Distribution
from .lock import Locked, Wheel
from .resolve import Found


def finish(
    packages: Iterable[Found], patched: Mapping[str, Distribution], carrier: Carrier, folder: Path
) -> list[Locked]:
    """Choose a wheel for each, and put those into `folder` that the machines can't fetch.

    Those of `patched` get what was changed by hand here. Raises ConfigurationError that names all
    that can't be had.
    """
    wheels: dict[str, Wheel] = {}
    faults = []
    for package in packages:
        try:
            wheel = _wheel(package, carrier)
            item = patched.get(package.name)
            wheels[package.name] = carrier.patched(item, wheel) if item else wheel
        except ConfigurationError as error:
            faults.append(str(error))
    if faults:
        raise ConfigurationError(" ".join(faults))
    wheels |= _brought(wheels, carrier, folder)
    return [Locked(name, _version(wheel), wheel) for name, wheel in wheels.items()]


def _brought(wheels: Mapping[str, Wheel], carrier: Carrier, folder: Path) -> dict[str, Wheel]:
    """Of these wheels, by packages' names, those that the machines can't fetch, in the folder."""
    indexes = carrier.indexes
    names = [name for name, wheel in wheels.items() if _stays_here(wheel, indexes)]
    wanted = [wheels[name] for name in names]
    results = dict(zip(names, try_to_fetch(wanted, folder, indexes), strict=True))
    failed = [name for name, result in results.items() if isinstance(result, str)]
    instead = fetch([_packed(wheels[name], name, carrier) for name in failed], folder, indexes)
    done = {name: result for name, result in results.items() if isinstance(result, Wheel)}
    return done | dict(zip(failed, instead, strict=True))


def _wheel(package: Found, carrier: Carrier) -> Wheel:
    """An index's own wheel is preferred to one that would be built from its sources."""
    best = carrier.chooser.best(package.wheels)
    if best is not None:
        return best
    if package.source is not None:
        return carrier.built(package.name, package.version, package.source)
    target = carrier.chooser.target
    raise ConfigurationError(
        f"No wheel of {package.name} {package.version} is for Python {target.python} on Linux, "
        f"{target.architecture}, glibc {target.glibc[0]}.{target.glibc[1]}, and there are no "
        "sources. Take another version."
    )


def _packed(wheel: Wheel, name: str, carrier: Carrier) -> Wheel:
    """The installed files instead of a wheel that can't be fetched, or that wheel."""
    item = carrier.installed.named(name)
    if item is None or Version(item.version) != parse_wheel_filename(wheel.name)[1]:
        return wheel
    path = carrier.repacked(item)
    return wheel if path is None else Wheel(path.name, "", path=path)


def _stays_here(wheel: Wheel, indexes: Indexes) -> bool:
    return wheel.path is not None or not wheel.sha256 or indexes.stays_here(wheel.url)


def _version(wheel: Wheel) -> str:
    return str(parse_wheel_filename(wheel.name)[1])
