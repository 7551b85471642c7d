"""Wheels made here, of what the machines can't have from an index as it is installed here."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urldefrag, urlsplit

from packaging.utils import canonicalize_name

from ..errors import ConfigurationError
from .build import Builder
from .choose import Chooser
from .fetch import fetch_one
from .git import remote_of, without_repository
from .indexes import Indexes
from .installed import Distribution, Installed
from .lock import Wheel
from .overlay import overlay
from .repack import repack
from .resolve import Source
from .telling import Telling

LS_REMOTE_S = 20.0
HEXADECIMAL = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Carrier:
    """Makes wheels for what `chooser` chooses for, out of what is installed.

    `folder` is for what is fetched on the way. `faults` says of
    what could not be made why, by names.
    """

    installed: Installed
    chooser: Chooser
    indexes: Indexes
    folder: Path
    telling: Telling
    faults: dict[str, str] = field(default_factory=dict)

    def carried(self, item: Distribution) -> Path | None:
        """A wheel of what no index is asked for; None if there can't be one.

        Of the installed files where they run there; else of the sources that it was installed from.
        """
        if item.kind != "editable" and (path := self.repacked(item)):
            return path
        source = _source_of(item)
        if source is None:
            return None
        try:
            return self.built(item.name, item.version, source).path
        except ConfigurationError as error:
            self.faults[item.name] = str(error)
            return None

    def repacked(self, item: Distribution) -> Path | None:
        """The installed files as a wheel; None if they don't run there, or are not all known."""
        self.telling.now(f"Packing {item.name} {item.version}, as it is installed here")
        if item.tags and not self._fits(item.tags):
            self.faults[item.name] = f"it was built for {item.tags[0].rpartition('-')[2]}"
            return None
        try:
            packed = repack(item, self.installed)
        except ConfigurationError as error:
            self.faults[item.name] = str(error)
            return None
        return packed.path if self._fits(packed.tags) else None

    def patched(self, item: Distribution, wheel: Wheel) -> Wheel:
        """The index's wheel with what was changed by hand here laid over it."""
        path = overlay(fetch_one(wheel, self.folder, self.indexes), item)
        return Wheel(path.name, "", path=path)

    def built(self, name: str, version: str, source: Source) -> Wheel:
        """A wheel of a package's sources; `version` is the one that is installed, or nothing.

        Raises ConfigurationError if they can't be built, or only for this computer.
        """
        self.telling.now(f"Building {name} {version}")
        builder = Builder(
            environment=self.installed,
            target=self.chooser.target,
            fits=self.chooser.fits,
            say=self.telling.say,
            variables=self.indexes.environment,
        )
        if source.folder is not None:
            path = builder.folder(name, version or self._installed_version(name), source.folder)
        elif source.archive is not None:
            path = builder.sdist(name, fetch_one(source.archive, self.folder, self.indexes))
        else:
            path = builder.repository(name, source.repository, source.commit, source.subdirectory)
        return Wheel(path.name, "", path=path)

    def _installed_version(self, name: str) -> str:
        """Of what is installed from a folder here; else it is not known."""
        item = self.installed.named(name)
        return item.version if item and item.kind in ("editable", "folder") else ""

    def _fits(self, tags: tuple[str, ...]) -> bool:
        return self.chooser.fits(self.installed.portable(tags, self.chooser.target))


def _source_of(item: Distribution) -> Source | None:
    told = item.direct_url or {}
    if item.kind in ("editable", "folder"):
        return Source(folder=item.folder) if item.folder else None
    if item.kind == "git":
        commit = told["vcs_info"]["commit_id"]
        return Source(told["url"], commit, told.get("subdirectory", ""))
    if item.kind == "archive" and not urlsplit(told["url"]).path.endswith(".whl"):
        name = urlsplit(told["url"]).path.rpartition("/")[2]
        return Source(archive=Wheel(name, "", told["url"]))
    return None


def git_source(url: str) -> Source:
    """The sources that a requirement such as git+https://host/name@branch#subdirectory=x has.

    Asks the repository for the commit. Raises ConfigurationError if it doesn't tell.
    """
    plain, fragment = urldefrag(url.removeprefix("git+"))
    before, at, revision = plain.rpartition("@")
    if not at or "/" not in before.partition("://")[2]:  # user@host
        before, revision = plain, "HEAD"
    subdirectory = parse_qs(fragment).get("subdirectory", [""])[0]
    remote = remote_of(before)
    command: list[str] = ["git", "ls-remote", "--", remote.url, revision, f"{revision}^{{}}"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LS_REMOTE_S,
            check=True,
            env=without_repository({**os.environ, **remote.variables}),
        )
    except subprocess.CalledProcessError as error:
        why = next(iter(error.stderr.strip().splitlines()), "it tells nothing")
        raise ConfigurationError(f"The git repository {remote.url}: {why}.") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"The git repository {remote.url}: {error}.") from None
    # a tag's own object comes first, the commit that it names last
    lines = done.stdout.strip().splitlines()
    commit = lines[-1].split()[0] if lines else revision
    if not HEXADECIMAL.fullmatch(commit):
        raise ConfigurationError(
            f"The git repository {remote.url} has no branch, tag or commit {revision!r}."
        )
    return Source(before, commit, subdirectory)


def name_in(url: str) -> str:
    """A name for messages of what an address without one leads to."""
    return canonicalize_name(
        urlsplit(url).path.rstrip("/").rpartition("/")[2].partition("@")[0].removesuffix(".git")
    )
