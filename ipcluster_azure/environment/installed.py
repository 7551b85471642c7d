"""What is installed for an interpreter, this process' own or another."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.utils import canonicalize_name

from ..errors import ConfigurationError
from .selection import Target

# The report is a package below this folder. What the interpreter itself imports must not be taken
# from the working directory, which -c puts in front.
PROGRAM = (
    "import sys; sys.path[:] = [sys.argv[1], *filter(None, sys.path)]; "
    "from report.program import main; del sys.path[0]; main()"
)
TIME_LIMIT_S = 60.0  # on a slow network drive; 0.3 s on a local disk
LONGEST_REASON = 300  # characters


@dataclass(frozen=True)
class Distribution:
    """One installed distribution. Its files are named relative to `location`, with slashes.

    `name` is normalised (PEP 503). `location` is the folder on sys.path, `info` the name of the
    metadata folder in it. `direct_url` is as PEP 610 has it, None of what is from an index.
    `installer` is "pip", "uv", "conda" or another, in small letters. `requires` are requirements
    with their markers, `tags` the wheel's. `changed` were changed by hand after installation,
    `added` were put among the modules of what has changed ones, `missing` are gone. `top_level`
    are the names that its modules are imported by.
    """

    name: str
    version: str
    location: str
    info: str
    direct_url: Mapping[str, Any] | None = None
    installer: str = ""
    requested: bool = False
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    purelib: bool = True
    has_record: bool = True
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    top_level: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Where it is from: "index", "conda", "git", "folder", "editable" or "archive".

        What conda has built says a folder of the computer that did, which isn't here.
        """
        told = self.direct_url
        if told is None:
            return "conda" if self.installer == "conda" else "index"
        if "vcs_info" in told:
            return "git"
        if self.installer == "conda" and urlsplit(told["url"]).scheme == "file":
            editable = self.folder is not None and self.folder.is_dir()
            return "editable" if editable and _is_editable(told) else "conda"
        if "dir_info" in told:
            return "editable" if _is_editable(told) else "folder"
        return "archive"

    @property
    def from_index(self) -> bool:
        """Whether an index is asked for it first, by name and version."""
        return self.kind in ("index", "conda")

    @property
    def patched(self) -> bool:
        return bool(self.changed or self.added)

    @property
    def folder(self) -> Path | None:
        """The project's folder if it was installed from one that is on this computer's disks."""
        told = self.direct_url or {}
        url = urlsplit(told.get("url", ""))
        if url.scheme != "file" or "dir_info" not in told:
            return None
        host = f"//{url.netloc}" if url.netloc not in ("", "localhost") else ""
        return Path(url2pathname(host + url.path), told.get("subdirectory", ""))


def _is_editable(told: Mapping[str, Any]) -> bool:
    return told["dir_info"].get("editable") is True if "dir_info" in told else False


@dataclass(frozen=True)
class Installed:
    """An interpreter and all that is installed for it.

    `executable` is what ran the report, `python` its version, such as 3.11.7. `machine` is as
    platform.machine() says it, `glibc` None where the C library is another, `tags_platform` the
    platform in a wheel's name. `data_roots` are the folders in which installers put what does not
    belong among modules. `markers` are the variables of environment markers there. `broken` are
    metadata folders that say no name or version.
    """

    executable: str
    python: str
    implementation: str
    sys_platform: str
    machine: str
    glibc: tuple[int, int] | None
    tags_platform: str
    data_roots: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    markers: Mapping[str, str] = field(default_factory=dict)
    broken: tuple[str, ...] = ()

    def named(self, name: str) -> Distribution | None:
        """Return the distribution of this name, however it is spelt; None if there is none."""
        wanted = canonicalize_name(name)
        return next((one for one in self.distributions if one.name == wanted), None)

    def portable(self, tags: Iterable[str], target: Target) -> tuple[str, ...]:
        """Return the tags of a wheel made here that hold on the target's Linux as well.

        linux_x86_64 says no C library: what was built here may need as new a one as is here.
        """
        here = self.glibc is not None and self.glibc <= target.glibc
        return tuple(tag for tag in tags if here or not tag.rpartition("-")[2].startswith("linux_"))


def read_environment(python: str, sys_path: Sequence[str] | None = None) -> Installed:
    """Return what is installed for the interpreter `python`, found in `sys_path`.

    `sys_path` is that of this process where its own environment is meant, as a program or notebook
    may have changed it; None stands for the interpreter's own. Blocks, for less than a second.
    Raises ConfigurationError if that interpreter can't tell.
    """
    if not python:
        raise ConfigurationError(
            "This process does not know its own Python, as it is embedded in another program. "
            "Set sync_python to the Python whose packages the machines are to have."
        )
    given = None if sys_path is None else [str(entry) for entry in sys_path]
    return parse(_run(python, json.dumps({"path": given})), python)


def _run(python: str, asked: str) -> str:
    command = [python, "-B", "-c", PROGRAM, str(Path(__file__).parent)]
    try:
        done = subprocess.run(
            command,
            input=asked.encode(),
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
    except subprocess.TimeoutExpired:
        raise _cannot_tell(python, f"it did not answer within {TIME_LIMIT_S:.0f} s") from None
    except OSError as error:
        raise _cannot_tell(python, error.strerror or str(error)) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        why = f"it ended with {done.returncode}: {last[:LONGEST_REASON]}".rstrip(": .")
        raise _cannot_tell(python, why)
    return done.stdout.decode(errors="replace")


def parse(printed: str, python: str) -> Installed:
    """Return what a report says; what the interpreter printed before it is passed over."""
    try:
        told = json.loads(printed.rstrip().rpartition("\n")[2])
        roots = dict.fromkeys([told["prefix"], told["base_prefix"], told["user_base"]])
        glibc = cast("tuple[int, int] | None", tuple(told["glibc"]) if told["glibc"] else None)
        return Installed(
            executable=python,
            python=told["python"],
            implementation=told["implementation"],
            sys_platform=told["sys_platform"],
            machine=told["machine"],
            glibc=glibc,
            tags_platform=told["tags_platform"],
            data_roots=tuple(filter(None, roots)),
            distributions=tuple(_distribution(one) for one in told["distributions"]),
            markers=told["markers"],
            broken=tuple(told["broken"]),
        )
    except (ValueError, KeyError, TypeError):
        line = printed.strip().rpartition("\n")[2][:LONGEST_REASON]
        raise _cannot_tell(
            python, f"it printed {line!r}" if line else "it printed nothing"
        ) from None


def _distribution(told: Mapping[str, Any]) -> Distribution:
    """Return a distribution of the report's JSON, in which lists stand for tuples."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
    }
    return Distribution(**{**fields, "name": canonicalize_name(told["name"])})


def _cannot_tell(python: str, why: str) -> ConfigurationError:
    if python != sys.executable:
        advice = "Set sync_python to the Python whose packages the machines are to have"
    else:
        advice = "Set sync_python to a Python, or python_environment = 'minimal'"
    return ConfigurationError(
        f"{python or 'Python'} can't tell what is installed: {why}. {advice}."
    )
