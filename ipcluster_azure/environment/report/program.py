"""Reads {"path": [...]} from its input, a sys.path or null for its own, and prints the report."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import site
import sys
import sysconfig
from typing import Any

from .files import Everyone
from .metadata import Found, first_headers, normalised, single
from .modules import top_level

# they become file names
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
VERSION = re.compile(r"[A-Za-z0-9._+!-]+\Z")
TAG = re.compile(r"[\w.]+-[\w.]+-[\w.]+\Z")


def main() -> None:
    """Print the report."""
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    distributions, broken = read(sys.path if asked["path"] is None else asked["path"])
    report = dict(interpreter(), distributions=distributions, broken=broken)
    print(json.dumps(report), flush=True)


def interpreter() -> dict[str, Any]:
    """Return what packages are chosen by: version, platform, and the variables of markers."""
    version = platform.python_version()
    implementation = sys.implementation
    release = ".".join(str(part) for part in implementation.version[:3])
    return {
        "python": version,
        "implementation": implementation.name,
        "sys_platform": sys.platform,
        "machine": platform.machine(),
        "glibc": glibc(),
        "tags_platform": re.sub(r"[-. ]", "_", sysconfig.get_platform()),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "user_base": site.getuserbase(),
        "markers": {
            "implementation_name": implementation.name,
            "implementation_version": release,
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_python_implementation": platform.python_implementation(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "python_full_version": version,
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }


def glibc() -> list[int] | None:
    """Return the version of the C library, such as [2, 36]; None where it is another one."""
    if sys.platform == "win32":
        return None
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        return [int(part) for part in version.split(".")[:2]] if name == "glibc" else None
    except (OSError, ValueError):  # macOS and musl have no such name
        return None


def read(path: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what is installed below these folders, and the metadata that says no name."""
    chosen: dict[str, Found] = {}
    broken = []
    for installed in importlib.metadata.distributions(path=path):
        found = Found(installed)
        if found.info.startswith("~"):  # pip's name for what it has half removed
            continue
        if not NAME.match(found.name) or not VERSION.match(found.version):
            broken.append(os.path.join(found.location, found.info))
            continue
        name = normalised(found.name)
        if name not in chosen or better(found, chosen[name]):
            chosen[name] = found
    everyone = Everyone(list(chosen.values()))
    return [described(found, everyone) for found in chosen.values()], sorted(broken)


def better(found: Found, than: Found) -> bool:
    """Whether a later metadata folder says more than the first of that name on sys.path.

    In one folder the newer one does: another is left behind by an upgrade that was ended. And one
    that an editable installation wrote does, where the project's own folder is on sys.path as well.
    """
    if found.location == than.location:
        return found.recorded_at() > than.recorded_at()
    return found.editable() and than.editable() and found.record is not None and not than.record


def described(found: Found, everyone: Everyone) -> dict[str, Any]:
    wheel = first_headers(found.text("WHEEL"))
    changed, missing, added = everyone.differences(found)
    return {
        "name": found.name,
        "version": found.version,
        "location": found.location,
        "info": found.info,
        "direct_url": found.direct_url,
        "installer": found.installer,
        "requested": os.path.exists(os.path.join(found.folder or "", "REQUESTED")),
        "requires": found.requires,
        "tags": [value for key, value in wheel if key == "tag" and TAG.match(value)],
        "purelib": single(wheel, "root-is-purelib").lower() != "false",
        "has_record": found.record is not None,
        "changed": changed,
        "missing": missing,
        "added": added,
        "top_level": sorted(top_level(found)),
    }
