"""What uv doesn't tell of a requirements.txt: its hashes, indexes, and the files that it names."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import ConfigurationError

INCLUDED = re.compile(r"^(?:-r|--requirement|-c|--constraint)[\s=]*(\S+)")
INDEX = re.compile(r"^(?:-i|--index-url|--extra-index-url|-f|--find-links)[\s=]*(\S+)")
HASH = re.compile(r"--hash[\s=]+(\w+):([0-9a-fA-F]+)")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


@dataclass
class RequirementsFile:
    """`hashes` are SHA-256 by packages' names, of those that have any; `urls` of indexes, with
    credentials; `files` this one and those that it includes."""

    hashes: dict[str, set[str]] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def read_requirements(path: Path) -> RequirementsFile:
    """Raises ConfigurationError if it, or what it includes, can't be read."""
    found = RequirementsFile()
    _read(path, found)
    return found


def _read(path: Path, found: RequirementsFile) -> None:
    if path in found.files:
        return
    found.files.append(path)
    for line in _lines(path):
        if included := INCLUDED.match(line):
            if "://" not in included[1]:
                _read((path.parent / included[1]).resolve(), found)
        elif index := INDEX.match(line):
            found.urls.append(VARIABLE.sub(_variable, index[1]))
        elif hashes := {digest.lower() for kind, digest in HASH.findall(line) if kind == "sha256"}:
            try:
                name = Requirement(HASH.split(line)[0].rstrip()).name
            except InvalidRequirement:
                continue  # a URL or a path: uv reads the hash of what is there
            found.hashes.setdefault(canonicalize_name(name), set()).update(hashes)


def _lines(path: Path) -> Iterator[str]:
    """Without comments, each with those that continue it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file in UTF-8"
        raise ConfigurationError(f"{path} can't be read: {reason}.") from None
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        yield re.sub(r"(^|\s)#.*$", "", line).strip()


def _variable(match: re.Match[str]) -> str:
    return os.environ.get(match[1], match[0])
