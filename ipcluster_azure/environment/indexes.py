"""The package indexes as pip and uv are configured here: for uv, and for what is fetched here.

uv doesn't read pip's configuration. Credentials go to it in its environment, which no other user
can see, and never further: not into a lock, a message or a command line.
"""

import hashlib
import ipaddress
import json
import os
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from requests.utils import get_netrc_auth

from .pip_settings import pip_settings
from .uv_settings import DEFAULTS, VARIABLES, uv_settings

CREDENTIALS = re.compile(r"(?<=://)[^/\s@`'\"]*@|\?[^\s`'\"]*=[^\s`'\"]*")
PYPI = "https://pypi.org/simple"
# An index that doesn't answer is given up after two tries. Those of the user win.
PATIENCE = {"UV_HTTP_RETRIES": "1", "UV_HTTP_CONNECT_TIMEOUT": "6", "UV_HTTP_TIMEOUT": "8"}
PRIVATE = [
    ipaddress.ip_network(network)
    for network in """
    10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16
    ::1/128 fc00::/7 fe80::/10
    """.split()
]
PRIVATE_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet")


@dataclass(frozen=True)
class Indexes:
    """`environment` is for uv, `options` are arguments for it that tell no secret.

    `urls` are of all indexes, with credentials; `key` changes with the settings, but not with
    credentials. `certificates` is a file for what is fetched here, `client_certificate` another;
    hosts of `trusted` are fetched from whatever certificate they have. `proxy` is pip's.
    """

    environment: dict[str, str] = field(repr=False)
    options: tuple[str, ...]
    urls: tuple[str, ...] = field(repr=False)
    key: str
    certificates: str = ""
    client_certificate: str = ""
    trusted: frozenset[str] = frozenset()
    proxy: str = field(default="", repr=False)

    def stays_here(self, url: str) -> bool:
        """Say whether a machine could not fetch this, so that it has to be sent there.

        Files, what needs a password, and what answers in this computer's networks alone. An address
        with a query is one that was signed for whoever asked for it, and for a while.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.username or parts.query:
            return True
        return self.credentials(url) is not None or is_private(parts.hostname or "")

    def credentials(self, url: str) -> tuple[str, str] | None:
        """User name and password for this address, as an index's URL here or netrc has them."""
        host = _host(url)
        for text in (url, *self.urls):
            parts = urlsplit(text)
            if _host(text) == host and (parts.username or parts.password):
                return unquote(parts.username or ""), unquote(parts.password or "")
        return get_netrc_auth(url)

    def of(self, url: str) -> str:
        """The index that an address belongs to, for a message."""
        for text in self.urls:
            if _host(text) == _host(url):
                return without_credentials(text)
        return without_credentials(url)


def indexes_of(prefix: str, environment: Mapping[str, str], folder: Path) -> Indexes:
    """Read the configuration for the interpreter with this sys.prefix, as pip and uv have it here.

    A project's in `folder` counts; uv need not run there, where constraints of it would count, too.
    """
    pip, uv = pip_settings(prefix, environment), uv_settings(environment, folder)
    child = {
        name: text
        for name, text in environment.items()
        if not name.startswith("UV_") or name in VARIABLES or name.startswith("UV_INDEX_")
    }
    child = PATIENCE | child
    child.pop("RUST_LOG", None)
    if uv.default:
        child[DEFAULTS[0]] = uv.default
    child["UV_INDEX"] = " ".join([*child.get("UV_INDEX", "").split(), *uv.further])
    urls = _urls(pip, bool(uv.default), child)
    links = _find_links(pip, child.get("UV_FIND_LINKS", ""))
    if links:
        child["UV_FIND_LINKS"] = ",".join(links)
    _add_connection(pip, child, prefix)
    options = ["--no-index"] if _is_true(pip.get("no-index", "")) else []
    if not uv.strategy:
        options += ["--index-strategy", "unsafe-best-match"]  # as pip does: versions are known
    shown = [without_credentials(url) for url in (*urls, *uv.urls, *links)]
    return Indexes(
        environment=child,
        options=tuple(options),
        urls=(*urls, *uv.urls, *links),
        key=hashlib.sha256(json.dumps([shown, options]).encode()).hexdigest(),
        certificates=pip.get("cert", "") or child.get("SSL_CERT_FILE", ""),
        client_certificate=pip.get("client-cert", ""),
        trusted=frozenset(pip.get("trusted-host", "").split()),
        proxy=pip.get("proxy", ""),
    )


def _urls(pip: Mapping[str, str], uv_has_default: bool, child: dict[str, str]) -> list[str]:
    """Add pip's indexes to uv's variables, and return them.

    uv takes a version from the first index that has it, and pip from any: first come those that
    machines can reach, too.
    """
    if not (pip.get("index-url") or pip.get("extra-index-url")):
        return []
    urls = [pip.get("index-url") or PYPI, *pip.get("extra-index-url", "").split()]
    urls.sort(key=lambda url: Indexes({}, (), tuple(urls), "").stays_here(url))
    further = list(urls)
    if not uv_has_default:
        child[DEFAULTS[0]] = further.pop()
    child["UV_INDEX"] = " ".join([*child.get("UV_INDEX", "").split(), *further])
    return urls


def _find_links(pip: Mapping[str, str], of_uv: str) -> list[str]:
    """Folders that aren't there are passed over, as pip does; uv fails at them."""
    places = [*filter(None, of_uv.split(",")), *pip.get("find-links", "").split()]
    paths = {place: Path(place).expanduser().absolute() for place in places}
    there = [place for place in places if "://" in place or paths[place].exists()]
    return [place if "://" in place else str(paths[place]) for place in there]


def _add_connection(pip: Mapping[str, str], child: dict[str, str], prefix: str) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY") if pip.get("proxy") else ():
        child.setdefault(variable, pip["proxy"])
    if hosts := pip.get("trusted-host", ""):
        child["UV_INSECURE_HOST"] = " ".join([*child.get("UV_INSECURE_HOST", "").split(), hosts])
    for option, variable in {"cert": "SSL_CERT_FILE", "client-cert": "SSL_CLIENT_CERT"}.items():
        if pip.get(option):
            child.setdefault(variable, pip[option])
    programs = Path(prefix, "Scripts" if os.name == "nt" else "bin")
    child["PATH"] = os.pathsep.join([child.get("PATH", ""), str(programs)])
    wanted = pip.get("keyring-provider", "auto") != "disabled"
    if wanted and shutil.which("keyring", path=child["PATH"]):
        child.setdefault("UV_KEYRING_PROVIDER", "subprocess")


def scrubbed(text: str) -> str:
    """A message, without what is secret of the addresses in it."""
    return CREDENTIALS.sub("", text)


def without_credentials(url: str) -> str:
    """The address as it may be shown and kept: without user, password, query and fragment."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@cache
def is_private(host: str) -> bool:
    """Say whether a host is in networks of this computer alone, by its name or its addresses."""
    name = host.lower().rstrip(".")
    if ("." not in name and ":" not in name) or name.endswith(PRIVATE_NAMES):
        return True
    try:
        found = {str(item[4][0]) for item in socket.getaddrinfo(name, None)}
    except OSError:
        return False
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in found]
    return any(address in network for address in addresses for network in PRIVATE)


def _host(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(
        parts.scheme
    )


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("y", "yes", "t", "true", "on", "1")
