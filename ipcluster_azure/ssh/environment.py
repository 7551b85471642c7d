"""The Python environment of the machines, which must match this process: functions travel to them
as code objects, arrays as pickles."""

import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BootstrapFailed
from ..record.environment import Environment

MOST_NAMED = 10
# package -> what may go wrong if its major version is another
OTHER_MAJOR = {
    "numpy": "arrays that numpy 2 has pickled can't be read by numpy 1 before 1.26",
    "pandas": "DataFrames that one has pickled may not be readable for the other",
    "scipy": "sparse matrices and the like that one has pickled may not be readable for the other",
    "cloudpickle": "functions sent after use_cloudpickle() may fail when they arrive",
    "dill": "functions sent after use_dill() may fail when they arrive",
    "ipykernel": "output and magics may not arrive as they do from engines on this computer",
    "pyzmq": "messages may be handled otherwise than by engines on this computer",
}


def environment_of(kind: str, image_python: str = "") -> Environment:
    """Return an environment of this kind that matches this process."""
    return Environment(
        kind=kind,
        image_python=image_python,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        ipyparallel=_version("ipyparallel"),
    )


def _version(package: str) -> str:
    """Return the version of a package of this process, empty if it isn't installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def check_versions(ready: Mapping[str, Any], environment: Environment, name: str) -> list[str]:
    """Compare what the machine `name` runs with what it should; `ready` is the event of vm_agent.py
    that says it.

    An environment that was built must be its lock; the image's must suit this process. Returns
    warnings: what may go wrong. Raises BootstrapFailed for what can't work.
    """
    python = _minor(ready["python"])
    if python != environment.python or (
        _minor(ready["ipyparallel"]) != _minor(environment.ipyparallel)
    ):
        raise BootstrapFailed(
            f"{name} runs Python {python} with ipyparallel {ready['ipyparallel']}, this computer "
            f"Python {environment.python} with ipyparallel {environment.ipyparallel}: functions "
            "can't travel between them. Use python_environment = 'minimal', or a matching image."
        )
    if environment.is_built:
        _require_no_difference(ready.get("differences", ()), name)
        return []
    return _doubts(ready["packages"]) if "packages" in ready else []  # an older version's agent


def _minor(version: str | None) -> str:
    return ".".join(str(version).split(".")[:2])


def _require_no_difference(differences: Sequence[Mapping[str, str | None]], name: str) -> None:
    """Raise BootstrapFailed if a machine has other packages than its lock."""
    if not differences:
        return
    texts = [
        f"{one['name']} ({one['found'] or 'missing'} instead of {one['locked'] or 'none'})"
        for one in differences[:MOST_NAMED]
    ]
    if len(differences) > MOST_NAMED:
        texts.append(f"and {len(differences) - MOST_NAMED} more")
    raise BootstrapFailed(
        f"The Python environment of {name} is not what was sent to it: {', '.join(texts)}. Stop "
        "the cluster and start it again; if that does not help, see log/environment.log there."
    )


def _doubts(packages: Mapping[str, str]) -> list[str]:
    """Return what may go wrong between this process and an image with these packages.

    Of packages that this process doesn't have nothing is sent; one that the image doesn't have
    matters if it was imported here.
    """
    found = []
    for package, consequence in OTHER_MAJOR.items():
        here, there = _version(package), packages.get(package, "")
        if here and not there and package in sys.modules:
            found.append(
                f"The image has no {package}, this computer {here}: what needs it fails there"
            )
        elif here and there and here.split(".")[0] != there.split(".")[0]:
            found.append(f"The image has {package} {there}, this computer {here}: {consequence}")
    return found
