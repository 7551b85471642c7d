"""The Python environment of the machines, which must match this process: functions travel to them
as code objects, arrays as pickles."""

import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BootstrapFailed
from ..record.contents import Environment


def environment_of(kind: str, image_python: str, requirements: Sequence[str]) -> Environment:
    """Return the environment that matches this process; the arguments are settings.

    numpy has the version of this process, where it is installed here.
    """
    try:
        numpy = f"numpy=={_version('numpy')}"
    except importlib.metadata.PackageNotFoundError:
        numpy = "numpy"
    return Environment(
        kind=kind,
        image_python=image_python,
        requirements=[f"ipyparallel=={_version('ipyparallel')}", numpy, *requirements],
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        ipyparallel=_version("ipyparallel"),
    )


def _version(package: str) -> str:
    return importlib.metadata.version(package)


def check_versions(ready: Mapping[str, Any], environment: Environment, name: str) -> None:
    """Raise BootstrapFailed unless the machine `name` runs the Python and ipyparallel of here.

    `ready` is the event of vm_agent.py that says what it runs.
    """
    python = ".".join(str(ready["python"]).split(".")[:2])
    if (python, ready["ipyparallel"]) != (environment.python, environment.ipyparallel):
        raise BootstrapFailed(
            f"{name} runs Python {python} with ipyparallel {ready['ipyparallel']}, this computer "
            f"Python {environment.python} with ipyparallel {environment.ipyparallel}: functions "
            "can't travel between them. Use python_environment = 'minimal', or a matching image."
        )
