"""The environment of a machine's processes, built from scratch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from .machine_interface import MachineSpec
from .processes import VM_ID_VARIABLE

LOGIN_UMASK = 0o022  # not the emulator's own 077
CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
INDEX_PREFIXES = ("PIP_", "UV_")


def python_directory() -> Path:
    """Return where python3 and python3.X of the emulator's own base interpreter are."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Path(base).resolve().parent


def programs_directory(directory: Path) -> Path:
    """Return where the programs are that the "image" has besides this computer's own."""
    return directory / "bin"


def build_environment(
    spec: MachineSpec, directory: Path, home: Path, package_cache: Path
) -> dict[str, str]:
    """Return a machine's variables: the emulator's Python, and an index if it has a way out."""
    directories = [str(programs_directory(directory)), str(python_directory())]
    directories += ["/usr/local/bin", "/usr/bin", "/bin"]
    environment = {
        "HOME": str(home),
        "USER": spec.admin_username,
        "LOGNAME": spec.admin_username,
        "SHELL": "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh",
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(dict.fromkeys(directories)),
        "IPCLUSTER_AZURE_EMULATOR_VM": spec.name,
        VM_ID_VARIABLE: spec.vm_id,
    }
    way = way_out() if spec.outbound else _no_way_out()
    return environment | way | _image_packages(package_cache) | _metadata(spec, way)


def _metadata(spec: MachineSpec, way: dict[str, str]) -> dict[str, str]:
    """Return where the metadata service is, for the project's programs and for azure-identity."""
    host = urlsplit(spec.metadata_url).hostname
    if host is None:
        return {}
    spared = {
        name: ",".join(filter(None, (way.get(name), host))) for name in ("no_proxy", "NO_PROXY")
    }
    return spared | {
        "IPCLUSTER_AZURE_IMDS": spec.metadata_url,
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": spec.metadata_url,
    }


def _image_packages(package_cache: Path) -> dict[str, str]:
    """Return what an image has that brings a package cache, which all machines share.

    What a machine installs is copied from there: a file that it changes is no other machine's, nor
    the cache's. To the controller's machine it is a mirror near the region, too.
    """
    return {"UV_CACHE_DIR": str(package_cache), "UV_LINK_MODE": "copy"}


def way_out() -> dict[str, str]:
    """Return the user's own way to a package index."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.lower() in PROXIES or name in CERTIFICATES or name.startswith(INDEX_PREFIXES)
    }


def _no_way_out() -> dict[str, str]:
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
    return dict.fromkeys(names, CLOSED)
