"""Packages that no installation on the machines could have, found without a package index.

uv finds and installs them. It takes what packaging.requirements parses (names with extras,
versions, markers or a URL), and a URL without a name; not all of it makes sense elsewhere.
"""

import importlib.metadata
import re
import urllib.parse

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import InvalidVersion, Version

from ..errors import ConfigurationError
from .values import Settings

REACHABLE = frozenset("https http git+https git+http git+ssh".split())
ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar.zst")
OF_THIS_COMPUTER = "the machines can't see files of this computer"
# a name can look like a file's, but no package of an index is called so
FILES = (*ARCHIVES, ".txt", ".toml", ".cfg", ".py", ".yml", ".yaml", ".lock")
MATCHED = ("ipyparallel",)  # the machines get the version of this process


def check_packages(settings: Settings) -> None:
    """Raise ConfigurationError for the first entry of a list of packages that can't be one."""
    for text in settings.requirements:
        if fault := _fault(text):
            raise ConfigurationError(
                f"requirements: {text!r} is not a package requirement: {fault}."
            )
    for text in settings.sync_accept:
        if not _is_one_version(text):
            raise ConfigurationError(
                f"sync_accept: {text!r} is not one version of a package, such as 'torch==2.14.1'."
            )
    for text in settings.sync_exclude:
        if not is_normalized_name(canonicalize_name(text)):
            raise ConfigurationError(
                f"sync_exclude: {text!r} is not the name of a package. For one of several "
                "versions use requirements."
            )


def _is_one_version(text: str) -> bool:
    try:
        requirement = Requirement(text)
        specifiers = [(item.operator, Version(item.version)) for item in requirement.specifier]
    except (InvalidRequirement, InvalidVersion):
        return False
    plain = not (requirement.url or requirement.extras or requirement.marker)
    return plain and [operator for operator, _ in specifiers] == ["=="]


def _fault(text: str) -> str:
    """Say why uv could not install this on a machine; empty if nothing speaks against it."""
    if not text.strip():
        return "it is empty"
    if not text.isprintable():
        return "it has control characters"
    if text.lstrip().startswith("-"):
        return "options are none, and a file of requirements has to be given as its entries"
    if re.match(r"\s*[a-z][a-z0-9+.-]*:", text, re.IGNORECASE):
        return _url_fault(text.strip(), named=False)
    if re.match(r"\s*[.~]|[^@;]*[/\\]", text):
        return OF_THIS_COMPUTER
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        return str(error).splitlines()[0]
    if requirement.url is not None:
        return _url_fault(requirement.url, named=True)
    if requirement.name.lower().endswith(FILES):
        return OF_THIS_COMPUTER
    return _contradiction(requirement)


def _url_fault(url: str, named: bool) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        return str(error)
    if parts.scheme in ("", "file", "git+file") or len(parts.scheme) == 1:  # C:\...
        return OF_THIS_COMPUTER
    if parts.scheme not in REACHABLE or not host or " " in url:
        return f"{url} is no address of a package; they begin with https:// or git+https://"
    if not named and not parts.scheme.startswith("git+") and not parts.path.endswith(ARCHIVES):
        return f"{url} names no wheel or source archive, such as example-1.0-py3-none-any.whl"
    return ""


def _contradiction(requirement: Requirement) -> str:
    """Say whether it excludes the version that the machines get anyway."""
    name = canonicalize_name(requirement.name)
    if name not in MATCHED:
        return ""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return f"the machines get {name} {version}, as functions travel to and from it"
