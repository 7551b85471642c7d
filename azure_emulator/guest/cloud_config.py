"""#cloud-config as cloud-init reads it, as far as a machine here can carry it out."""

from __future__ import annotations

import base64
import gzip
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .user_data import Part, UserDataError, loaded, parts

HOST_KEYS = ("ed25519_private", "ecdsa_private", "rsa_private")
BASE64 = ("b64", "base64", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64")
GZIP = ("gz", "gzip", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64")
PLAIN = ("text/plain",)
# Members with a meaning here; all others are named in the log.
CARRIED_OUT = ("ssh_keys", "write_files", "bootcmd", "runcmd", "ssh_authorized_keys", "users")
DEFAULT_MODE = 0o644

Say = Callable[[str], None]


@dataclass(frozen=True)
class File:
    path: str
    content: bytes
    mode: int
    append: bool


@dataclass(frozen=True)
class CloudConfig:
    """What a #cloud-config asks for.

    boot_commands: a shell script of every boot; run_commands: one of the first boot, run after
    `scripts`, which are whole programs; boot_hooks: programs of every boot, before all else.
    """

    host_keys: tuple[str, ...] = field(default=(), repr=False)
    authorized_keys: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    boot_hooks: tuple[bytes, ...] = ()
    boot_commands: str = ""
    scripts: tuple[bytes, ...] = ()
    run_commands: str = ""


def parse(data: bytes, admin: str, say: Say) -> CloudConfig:
    """Return what a machine here can carry out; the rest is left out, and reported to `say`."""
    config: dict[str, Any] = {}
    hooks, scripts = [], []
    try:
        for part in parts(data):
            if part.kind == "text/cloud-config":
                config |= _mapping(part)
            elif part.kind == "text/x-shellscript":
                scripts.append(part.content)
            elif part.kind == "text/cloud-boothook":
                hooks.append(part.content.removeprefix(b"#cloud-boothook").lstrip())
            else:
                say(f"a part of type {part.kind} in customData is not carried out")
    except UserDataError as error:
        say(f"customData is ignored: {error}")
        return CloudConfig()
    return _checked(config, admin, tuple(hooks), tuple(scripts), say)


def _mapping(part: Part) -> dict[str, Any]:
    """Return a part's YAML, a mapping whose members the later parts' replace."""
    config = loaded(part.content)
    if config is not None and not isinstance(config, dict):
        raise UserDataError("its YAML is not a mapping")
    return config or {}


def _checked(
    config: dict[str, Any],
    admin: str,
    hooks: tuple[bytes, ...],
    scripts: tuple[bytes, ...],
    say: Say,
) -> CloudConfig:
    for name in config:
        if name not in CARRIED_OUT:
            say(f"{name} in customData is not carried out on this machine")
    keys = config.get("ssh_keys") or {}
    if not isinstance(keys, dict):
        say("ssh_keys is ignored: it is not a mapping")
        keys = {}
    return CloudConfig(
        host_keys=tuple(str(keys[name]) for name in HOST_KEYS if keys.get(name)),
        authorized_keys=_authorized_keys(config, admin, say),
        files=_files(config, say),
        boot_hooks=hooks,
        boot_commands=_script(config, "bootcmd", say),
        scripts=scripts,
        run_commands=_script(config, "runcmd", say),
    )


def _list(config: Mapping[Any, Any], name: str, say: Say) -> list[Any]:
    value = config.get(name) or []
    if not isinstance(value, list):
        say(f"{name} is ignored: it is not a list")
        return []
    return value


def _authorized_keys(config: dict[str, Any], admin: str, say: Say) -> tuple[str, ...]:
    """Return the keys of the default user, which is the admin on Azure."""
    keys = _list(config, "ssh_authorized_keys", say)
    for user in _list(config, "users", say):
        if isinstance(user, dict) and user.get("name") in (admin, "default"):
            keys = keys + _list(user, "ssh_authorized_keys", say)
        elif user not in ("default", admin):
            name = user.get("name") if isinstance(user, dict) else user
            say(f"the user {name} is not made: this machine has only {admin}")
    return tuple(str(key) for key in keys)


def _files(config: dict[str, Any], say: Say) -> tuple[File, ...]:
    files = []
    for item in _list(config, "write_files", say):
        try:
            files.append(_file(item, say))
        except (ValueError, TypeError, OSError, EOFError) as error:
            say(f"an entry of write_files is ignored: {error}")
    return tuple(files)


def _file(item: Any, say: Say) -> File:
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        raise ValueError("it has no path")
    content = item.get("content")
    raw = (
        content if isinstance(content, bytes) else str("" if content is None else content).encode()
    )
    encoding = str(item.get("encoding") or "text/plain").lower().strip()
    if encoding not in (*BASE64, *GZIP, *PLAIN):
        say(f"write_files, {item['path']}: unknown encoding {encoding}, taken as text/plain")
    if encoding in BASE64:
        raw = base64.b64decode(raw)
    if encoding in GZIP:
        raw = gzip.decompress(raw)
    return File(item["path"], raw, _mode(item.get("permissions")), bool(item.get("append")))


def _mode(permissions: Any) -> int:
    """Return a file mode; a number is the mode itself, as YAML reads 0644 as the number 420."""
    if permissions is None:
        return DEFAULT_MODE
    mode = permissions if isinstance(permissions, int) else int(str(permissions), 8)
    if not 0 <= mode <= 0o7777:
        raise ValueError(f"{permissions!r} is no mode of a file")
    return mode


def _script(config: dict[str, Any], name: str, say: Say) -> str:
    """Return one shell script as cloud-init writes it: a failing line does not stop the next."""
    lines = []
    for item in _list(config, name, say):
        if isinstance(item, list):
            lines.append(shlex.join(str(part) for part in item))
        elif isinstance(item, str):
            lines.append(item)
        elif item is not None:
            say(f"{name} is ignored: an entry is neither a string nor a list")
            return ""
    return "#!/bin/sh\n" + "\n".join(lines) + "\n" if lines else ""
