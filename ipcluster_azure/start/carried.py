"""What the controller's machine is given over SSH: wheels that it can't have otherwise."""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ..errors import ConfigurationError
from ..record.environment import Environment
from ..resource_manager.api import bridge
from ..ssh.packages import Packages


def packages_of(environment: Environment) -> Packages | None:
    """Return what the machines install; None if they use what their image has."""
    if not environment.is_built:
        return None
    wheels = [Path(path) for path in environment.wheels]
    return Packages(Path(environment.lock), wheels, carrying(Path(environment.lock)))


def carrying(lock: Path) -> Callable[[Sequence[str], str], Awaitable[Sequence[Path]]]:
    async def carry(names: Sequence[str], why: str) -> Sequence[Path]:
        try:
            files: Sequence[Path] = await bridge(fetched, lock, names)
        except ConfigurationError as error:
            raise ConfigurationError(f"The controller's machine: {why}. {error}") from error
        return files

    return carry


def fetched(lock: Path, names: Sequence[str]) -> list[Path]:
    """Download wheels of a lock to this computer, beside it, as its indexes are configured here.

    Raises ConfigurationError that names all that can't be had.
    """
    from ..environment.fetch import fetch  # needs requests, which a start mostly does without
    from ..environment.indexes import indexes_of
    from ..environment.lock import WHEELS, Wheel, read_toml

    folder = lock.parent / WHEELS
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = []
    for package in read_toml(lock)["packages"]:
        (wheel,) = package["wheels"]
        if wheel["name"] in names:
            url, sha256 = wheel.get("url", ""), wheel["hashes"]["sha256"]
            wanted.append(Wheel(wheel["name"], sha256, url))
    indexes = indexes_of(sys.prefix, os.environ, Path.cwd())
    return [wheel.path for wheel in fetch(wanted, folder, indexes) if wheel.path is not None]
