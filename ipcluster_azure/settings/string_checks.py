"""Checks of texts that become parts of file names or shell commands, where they could be misread.

Everything else that a user gives travels quoted, or inside JSON. All raise ConfigurationError.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ConfigurationError

MAX_ID_BYTES = 100  # a file name has at most 255, and the id is a part of it


def check_cluster_id(cluster_id: str) -> None:
    """Refuse a cluster_id that can't be a part of file names, or that a terminal would obey."""
    if (
        any(mark in cluster_id for mark in "/\\")
        or not cluster_id.isprintable()
        or len(cluster_id.encode("utf-8", "replace")) > MAX_ID_BYTES
    ):
        raise ConfigurationError(f"cluster_id {cluster_id!r} can't be part of a file name.")


def check_job_file_name(name: str) -> None:
    """Refuse a name outside the profile's folder, or one that another kind of file may have."""
    if not re.fullmatch(r"[^/\\\0.][^/\\\0]*\.json", name) or not name.isprintable():
        raise ConfigurationError(
            f"job_file_name {name!r} must be the name of a file in the profile that ends with "
            ".json, without any folder."
        )


def check_environment(variables: Mapping[Any, Any]) -> None:
    """Refuse names of environment variables that a shell, which sets them, would take for more."""
    for name, value in variables.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ConfigurationError(f"environment: {name!r} is not a variable's name.")
        check_texts(f"environment: the value of {name}", [value])


# of ipcontroller and ipengine, with the settings of theirs that they stand for
OWN_OPTIONS = {
    "ip": "the controller listens at its private address",
    "location": "engines and clients are told how to reach the controller. For the Azure region "
    "set c.AzureVMLauncher.location",
    "profile": "the machines have a copy of the profile that is started",
    "profile-dir": "the machines have a copy of the profile that is started",
    "config": "the machines have no configuration but the profile's",
    "ipython-dir": "the machines have one of their own",
    "cluster-id": "it is the cluster's",
    "file": "engines are given the file that the controller has written",
    "url": "engines are given the file that the controller has written",
    "ssh": "connections go through the launcher's own SSH",
    "enginessh": "connections go through the launcher's own SSH",
}
ALSO_CALLED = {
    "ProfileDir.location": "profile-dir",
    "BaseIPythonApplication.profile": "profile",
    "BaseIPythonApplication.extra_config_file": "config",
    "BaseIPythonApplication.ipython_dir": "ipython-dir",
    "BaseParallelApplication.cluster_id": "cluster-id",
    "IPController.ip": "ip",
    "IPController.location": "location",
    "IPEngine.location": "location",
    "IPController.ssh_server": "ssh",
    "IPController.engine_ssh_server": "enginessh",
    "IPEngine.sshserver": "ssh",
    "IPEngine.url_file": "file",
    "IPEngine.registration_url": "url",
}


def check_arguments(name: str, arguments: Iterable[Any]) -> None:
    """Refuse further arguments that are no texts, or that set what the launcher itself sets."""
    arguments = list(arguments)
    check_texts(name, arguments)
    for argument in arguments:
        option = argument.partition("=")[0].lstrip("-") if argument.startswith("-") else ""
        reason = OWN_OPTIONS.get(ALSO_CALLED.get(option, option))
        if reason is not None:
            raise ConfigurationError(
                f"{name}: {argument!r} can't be given on Azure: {reason}. (`ipcluster start` hands "
                "on what is no option of its own to the controller.)"
            )


def check_texts(what: str, values: Iterable[Any]) -> None:
    """Refuse values that are no texts; `what` names them in the message."""
    for value in values:
        if not isinstance(value, str):
            raise ConfigurationError(f"{what} must be a text, not {value!r}.")
        if "\0" in value:
            raise ConfigurationError(f"{what} can't have a null character: {value!r}.")


def check_command(name: str, words: Sequence[str]) -> None:
    """Raise ConfigurationError for a controller_cmd or engine_cmd that can't be honoured."""
    program = f"ip{name.removesuffix('_cmd')}"
    if list(words[-1:]) != [program] or any("\0" in word or "\n" in word for word in words):
        raise ConfigurationError(
            f"{name} must end in {program!r}, and have before it at most a command that runs it, "
            f"such as ['nice', '-n', '5', {program!r}]; not {list(words)}. The machines run it "
            "with a Python of their own: set c.AzureVMLauncher.python_environment = 'image' and "
            f"image_python for another, or {program[2:]}_args for further arguments."
        )
