"""Which package indexes uv is configured with here, in its files and in the environment."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import platformdirs

from ..errors import ConfigurationError
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

    `default` takes the place of PyPI, empty if none does. `further` are those that uv would not use
    by itself outside of the project: as UV_INDEX has them. `strategy` is empty if none is set.
    """

    urls: tuple[str, ...] = field(repr=False)
    default: str = field(repr=False)
    further: tuple[str, ...] = field(repr=False)
    strategy: str


def uv_settings(environment: Mapping[str, str], folder: Path) -> UvSettings:
    """Those of a project in the folder, or above it, too. uv passes over what is damaged."""
    given = [url for name in FURTHER for url in environment.get(name, "").split()]
    default = next((environment[name] for name in DEFAULTS if environment.get(name)), "")
    strategy, urls, further = environment.get("UV_INDEX_STRATEGY", ""), [default, *given], []
    for table, base in _tables(environment, folder):
        for options in (table, table.get("pip", {})):
            if not isinstance(options, dict):
                continue
            strategy = strategy or str(options.get("index-strategy", ""))
            for name, url, kind in _indexes(options, base):
                urls.append(f"{name}={url}" if name else url)
                if kind == "default":
                    default = default or urls[-1]
                elif base is not None or kind == "explicit":
                    further.append(urls[-1])
    return UvSettings(
        urls=tuple(_with_credentials(url, environment) for url in urls if url),
        default=default,
        further=tuple(further),
        strategy=strategy,
    )


def _indexes(options: Mapping[str, Any], base: Path | None) -> Iterator[tuple[str, str, str]]:
    """Yield name, URL and kind of each: default, explicit or nothing."""
    listed = options.get("index", [])
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and isinstance(item.get("url"), str):
            kinds = [kind for kind in ("default", "explicit") if item.get(kind) is True]
            yield str(item.get("name", "")), _absolute(item["url"], base), "".join(kinds[:1])
    if isinstance(options.get("index-url"), str):
        yield "", options["index-url"], "default"
    extra = options.get("extra-index-url", [])
    for url in extra if isinstance(extra, list) else ():
        yield "", str(url), ""


def _absolute(url: str, base: Path | None) -> str:
    return url if "://" in url or base is None else (base / url).absolute().as_uri()


def _tables(
    environment: Mapping[str, str], folder: Path
) -> Iterator[tuple[dict[str, Any], Path | None]]:
    """Yield uv's options, those of a project with its folder."""
    if environment.get("UV_NO_CONFIG"):
        return
    if own := environment.get("UV_CONFIG_FILE"):
        yield _read(Path(own)), None
        return
    for parent in (folder, *folder.parents):
        if (parent / "uv.toml").is_file():
            yield _read(parent / "uv.toml"), parent
            break
        if (parent / "pyproject.toml").is_file():
            tool = _read(parent / "pyproject.toml").get("tool", {})
            if isinstance(tool, dict) and isinstance(tool.get("uv", {}), dict):
                yield tool.get("uv", {}), parent
            break
    for path in _files():
        if path.is_file():
            yield _read(path), None


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except ConfigurationError:
        return {}


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
