"""The lock: a pylock.toml (PEP 751) in which each package has exactly one wheel, and no source."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..private_files import write_private
from .selection import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WHEELS = "wheels"


@dataclass(frozen=True)
class Wheel:
    """One wheel: at `url`, which needs no credentials, or in the file `path` of this computer.

    `size` is in bytes, 0 if the index doesn't tell.
    """

    name: str
    sha256: str
    url: str = ""
    path: Path | None = None
    size: int = 0

    @property
    def uri(self) -> str:
        return self.url if self.path is None else self.path.as_uri()


@dataclass(frozen=True)
class Locked:
    """A package of the lock."""

    name: str
    version: str
    wheel: Wheel


def write_lock(path: Path, packages: Iterable[Locked], target: Target) -> None:
    """Write them for uv and pip, in order of their names, readable by this user alone."""
    lines = [
        'lock-version = "1.0"',
        'created-by = "ipcluster-azure"',
        f'requires-python = "=={target.python}.*"',
    ]
    for package in sorted(packages, key=lambda package: package.name):
        wheel = package.wheel
        place = ("url", wheel.url) if wheel.url else ("path", f"{WHEELS}/{wheel.name}")
        fields = {"name": wheel.name, place[0]: place[1]}
        entries = ", ".join(f"{key} = {_text(value)}" for key, value in fields.items())
        entries += f", size = {wheel.size}" if wheel.size else ""
        lines += [
            "",
            "[[packages]]",
            f"name = {_text(package.name)}",
            f"version = {_text(package.version)}",
            f"wheels = [{{ {entries}, hashes = {{ sha256 = {_text(wheel.sha256)} }} }}]",
        ]
    write_private(path, "\n".join(lines) + "\n")


def read_toml(path: Path) -> dict[str, Any]:
    """Raises ConfigurationError if it can't be read, or is no TOML."""
    try:
        return parse_toml(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror or error}.") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not a text file in UTF-8.") from None


def parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = tomllib.loads(text)
        return loaded
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not TOML: {error}.") from None


def markers_of(target: Target) -> dict[str, str]:
    """What a requirement's marker is evaluated with for the machines, as PEP 508 names it."""
    return {
        "implementation_name": "cpython",
        "implementation_version": full_version(target),
        "os_name": "posix",
        "platform_machine": target.architecture,
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full_version(target),
        "platform_python_implementation": "CPython",
        "python_version": target.python,
        "sys_platform": "linux",
    }


def full_version(target: Target) -> str:
    """The version of Python to resolve for: this process' own if the minor version is the same.

    What is installed here needs a patch release that is here; the machines' may be another.
    """
    major, minor, micro = sys.version_info[:3]
    same = target.python == f"{major}.{minor}"
    return f"{target.python}.{micro if same else 0}"


def _text(value: str) -> str:
    """As a TOML string: JSON's escapes are TOML's, too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def hashes_of(entry: Mapping[str, Any]) -> str:
    """The SHA-256 of a file that a pylock.toml describes; empty if it names none."""
    return str(entry.get("hashes", {}).get("sha256", "")).lower()
