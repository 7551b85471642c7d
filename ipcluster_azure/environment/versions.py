"""The versions of packages that are installed somewhere on this computer."""

from collections.abc import Iterable
from importlib import metadata


def versions_in(names: Iterable[str], *folders: str) -> dict[str, str]:
    """Return the versions of those packages that are installed in these folders, by name.

    Without folders, those that this process would import.
    """
    found = {}
    for name in names:
        if folders:
            package = next(iter(metadata.distributions(name=name, path=list(folders))), None)
        else:
            package = next(iter(metadata.distributions(name=name)), None)
        if package is not None:
            found[name] = package.version
    return found
