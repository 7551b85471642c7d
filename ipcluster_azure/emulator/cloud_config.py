"""customData as cloud-init reads it: #cloud-config (ssh_keys, write_files, runcmd) or a script."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .vm_environment import LOGIN_UMASK

HOST_KEYS = ("ed25519_private", "ecdsa_private", "rsa_private")
SCRIPT_NAME = ".cloud-init-script"


class CloudConfigError(Exception):
    """customData that cloud-init would not understand either."""


@dataclass(frozen=True)
class File:
    path: str
    content: bytes
    mode: int
    append: bool


@dataclass(frozen=True)
class CloudConfig:
    """commands: shell lines, run in order; script: a whole program, run after them."""

    host_keys: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[File, ...] = ()
    commands: tuple[str, ...] = ()


def parse(data: bytes) -> CloudConfig:
    text = _decompressed(data)
    if not text.strip():
        return CloudConfig()
    if text.startswith(b"#!"):
        script = File(SCRIPT_NAME, text, 0o700, append=False)
        return CloudConfig(files=(script,), commands=(f'"$HOME"/{SCRIPT_NAME}',))
    if not text.startswith(b"#cloud-config"):
        raise CloudConfigError("it begins with neither #cloud-config nor #!")
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CloudConfigError(f"it is not YAML: {error}") from None
    if config is None:
        return CloudConfig()
    if not isinstance(config, dict):
        raise CloudConfigError("its YAML is not a mapping")
    keys = config.get("ssh_keys") or {}
    if not isinstance(keys, dict):
        raise CloudConfigError("ssh_keys is not a mapping")
    return CloudConfig(
        host_keys=tuple(str(keys[name]) for name in HOST_KEYS if keys.get(name)),
        files=tuple(_file(item) for item in _list(config, "write_files")),
        commands=tuple(
            _command(item) for name in ("bootcmd", "runcmd") for item in _list(config, name)
        ),
    )


def _decompressed(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise CloudConfigError(f"it is not gzip: {error}") from None


def _list(config: dict[str, Any], name: str) -> list[Any]:
    value = config.get(name) or []
    if not isinstance(value, list):
        raise CloudConfigError(f"{name} is not a list")
    return value


def _file(item: Any) -> File:
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        raise CloudConfigError("an entry of write_files has no path")
    content = item.get("content", "")
    raw = content if isinstance(content, bytes) else str(content).encode()
    encoding = str(item.get("encoding", "text/plain")).lower()
    try:
        if encoding in ("b64", "base64", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64"):
            raw = base64.b64decode(raw)
        if encoding.startswith("gz"):
            raw = gzip.decompress(raw)
        # YAML reads 0644 as the number 420: as cloud-init, a number is the mode itself.
        mode = item.get("permissions", 0o644)
        mode = mode if isinstance(mode, int) else int(str(mode), 8)
    except (ValueError, OSError, EOFError) as error:
        raise CloudConfigError(f"write_files, {item['path']}: {error}") from None
    return File(item["path"], raw, mode, bool(item.get("append")))


def _command(item: Any) -> str:
    if isinstance(item, list):
        return shlex.join(str(part) for part in item)
    if isinstance(item, str):
        return item
    raise CloudConfigError("an entry of runcmd is neither a string nor a list")


def write_files(config: CloudConfig, home: Path, root: Path) -> list[str]:
    """Write below the home directory; other absolute paths go below root. Returns problems."""
    problems = []
    for file in config.files:
        target = _place(file.path, home, root)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "ab" if file.append else "wb") as stream:
                stream.write(file.content)
            target.chmod(file.mode)
        except OSError as error:
            problems.append(f"write_files: {file.path}: {error}")
    return problems


def _place(path: str, home: Path, root: Path) -> Path:
    """/home/NAME/... of the admin is the machine's home; nothing escapes the machine."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    if not path.startswith("/"):
        return home.joinpath(*parts)
    if path.startswith(f"{home}/") and ".." not in path.split("/"):
        return Path(path)
    if parts[:2] == ["home", home.name]:
        return home.joinpath(*parts[2:])
    return root.joinpath(*parts)


async def run_commands(
    commands: tuple[str, ...], home: Path, environment: dict[str, str], log_path: Path
) -> None:
    """In order, each to its end; a failing one does not stop the next, as in cloud-init."""
    with open(log_path, "ab") as log_file:  # noqa: ASYNC230 - a local append
        for command in commands:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", command),
                cwd=home,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
                umask=LOGIN_UMASK,
            )
            code = await process.wait()
            if code:
                os.write(log_file.fileno(), f"{command!r} ended with status {code}\n".encode())
