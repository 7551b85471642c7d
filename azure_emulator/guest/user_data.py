"""customData's parts, as cloud-init finds them: one file, its gzip, a MIME message, an archive."""

from __future__ import annotations

import email
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

import yaml

MOST_PARTS = 200
DEEPEST = 8
# How a part's beginning tells its type; the longer ones first.
BEGINNINGS = (
    (b"#cloud-config-archive", "text/cloud-config-archive"),
    (b"#cloud-config", "text/cloud-config"),
    (b"#cloud-boothook", "text/cloud-boothook"),
    (b"#include-once", "text/x-include-once-url"),
    (b"#include", "text/x-include-url"),
    (b"#part-handler", "text/part-handler"),
    (b"## template: jinja", "text/jinja2"),
    (b"#!", "text/x-shellscript"),
)
GUESSED = ("text/plain", "text/x-not-multipart", "application/octet-stream", "")


class UserDataError(Exception):
    """Raised for data that cloud-init would not understand either."""


@dataclass(frozen=True)
class Part:
    kind: str
    content: bytes


def parts(data: bytes, depth: int = 0) -> Iterator[Part]:
    """Return the parts in their order; raises UserDataError at the first that can't be read."""
    if depth > DEEPEST:
        raise UserDataError("its parts are nested too deeply")
    data = decompressed(data)
    if not data.strip():
        return
    beginning = data.lstrip()
    if beginning[:256].lower().startswith((b"content-type:", b"mime-version:")):
        yield from _of_message(beginning, depth)
        return
    kind = _kind(data)
    if kind == "text/cloud-config-archive":
        yield from _of_archive(data, depth)
    else:
        yield Part(kind, data)


def decompressed(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise UserDataError(f"it is not gzip: {error}") from None


def _kind(data: bytes) -> str:
    for beginning, kind in BEGINNINGS:
        if data.startswith(beginning):
            return kind
    raise UserDataError("it begins with neither #cloud-config nor #!, and is no MIME message")


def _of_message(data: bytes, depth: int) -> Iterator[Part]:
    message = email.message_from_bytes(data)
    for number, item in enumerate(message.walk()):
        if number > MOST_PARTS:
            raise UserDataError("it has too many parts")
        if not item.is_multipart():
            yield from _of_item(item, depth)


def _of_item(item: Message, depth: int) -> Iterator[Part]:
    content = item.get_payload(decode=True)
    if not isinstance(content, bytes) or not content.strip():
        return
    kind = item.get_content_type()
    content = decompressed(content)
    if kind in GUESSED or kind == "application/gzip":
        yield from parts(content, depth + 1)
    elif kind == "text/cloud-config-archive":
        yield from _of_archive(content, depth)
    else:
        yield Part(kind, content)


def _of_archive(data: bytes, depth: int) -> Iterator[Part]:
    """Return the parts of a YAML list of {type, content}, or of contents."""
    items = loaded(data)
    if not isinstance(items, list) or len(items) > MOST_PARTS:
        raise UserDataError("its archive is not a list, or too long a one")
    for item in items:
        entry = item if isinstance(item, dict) else {"content": item}
        content = entry.get("content") or ""
        raw = content if isinstance(content, bytes) else str(content).encode()
        if entry.get("type"):
            yield Part(str(entry["type"]), raw)
        else:
            yield from parts(raw, depth + 1)


def loaded(text: bytes) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserDataError(f"it is not YAML: {error}") from None
