"""Which package indexes uv is configured with here, in its files and in the environment."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import platformdirs

from .lock import read_toml

# of uv's variables those that say where packages are; others would change what is resolved
VARIABLES = frozenset(
    """
    UV_CACHE_DIR UV_CONFIG_FILE UV_CREDENTIALS_DIR UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS
    UV_HTTP_CONNECT_TIMEOUT UV_HTTP_RETRIES UV_HTTP_TIMEOUT UV_INDEX UV_INDEX_STRATEGY UV_INDEX_URL
    UV_INSECURE_HOST UV_KEYRING_PROVIDER UV_NATIVE_TLS UV_NO_CACHE UV_NO_CONFIG UV_OFFLINE
    UV_REQUEST_TIMEOUT UV_SYSTEM_CERTS
    """.split()
)
DEFAULTS, FURTHER = ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), ("UV_INDEX", "UV_EXTRA_INDEX_URL")


@dataclass(frozen=True)
class UvSettings:
    """`urls` are of all indexes, with the credentials that uv is given for them.

    `has_default`: one of them takes the place of PyPI. `strategy` is empty if none is set.
    """

    urls: tuple[str, ...] = field(repr=False)
    has_default: bool
    strategy: str


def uv_settings(environment: Mapping[str, str], folder: Path) -> UvSettings:
    """`folder` is where uv will run: a project's settings there, or above it, hold, too."""
    urls = [url for name in (*DEFAULTS, *FURTHER) for url in environment.get(name, "").split()]
    has_default = any(environment.get(name) for name in DEFAULTS)
    strategy = environment.get("UV_INDEX_STRATEGY", "")
    for table in _tables(environment, folder):
        pip = table.get("pip", {})
        strategy = strategy or table.get("index-strategy", "") or pip.get("index-strategy", "")
        for options in (table, pip):
            indexes = [item for item in options.get("index", []) if isinstance(item, dict)]
            has_default |= "index-url" in options or any(item.get("default") for item in indexes)
            urls += [f"{item.get('name', '')}={item.get('url', '')}" for item in indexes]
            urls += [options["index-url"]] if "index-url" in options else []
            urls += options.get("extra-index-url", [])
    return UvSettings(
        tuple(_with_credentials(url, environment) for url in urls), has_default, strategy
    )


def _tables(environment: Mapping[str, str], folder: Path) -> Iterator[dict[str, Any]]:
    if environment.get("UV_NO_CONFIG"):
        return
    if own := environment.get("UV_CONFIG_FILE"):
        yield read_toml(Path(own))
        return
    project = next(_of_project(folder), None)
    if project is not None:
        yield project
    for path in _files():
        if path.is_file():
            yield read_toml(path)


def _of_project(folder: Path) -> Iterator[dict[str, Any]]:
    for parent in (folder, *folder.parents):
        if (parent / "uv.toml").is_file():
            yield read_toml(parent / "uv.toml")
        if (parent / "pyproject.toml").is_file():
            yield read_toml(parent / "pyproject.toml").get("tool", {}).get("uv", {})


def _files() -> Iterator[Path]:
    if sys.platform == "win32":
        yield Path(platformdirs.user_config_dir("uv", appauthor=False, roaming=True), "uv.toml")
        yield Path(platformdirs.site_config_dir("uv", appauthor=False), "uv.toml")
        return
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "uv/uv.toml")
    yield Path("/etc/xdg/uv/uv.toml")
    yield Path("/etc/uv/uv.toml")


def _with_credentials(text: str, environment: Mapping[str, str]) -> str:
    """The URL of `name=URL`, with what variables of that name say it is opened with."""
    name, equals, url = text.partition("=")
    if not equals or "://" in name:
        return text
    word = "".join(letter if letter.isalnum() else "_" for letter in name.upper())
    user = environment.get(f"UV_INDEX_{word}_USERNAME", "")
    password = environment.get(f"UV_INDEX_{word}_PASSWORD", "")
    scheme, separator, rest = url.partition("://")
    if not (user or password):
        return url
    userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"{scheme}{separator}{userinfo}@{rest.rpartition('@')[2]}"
