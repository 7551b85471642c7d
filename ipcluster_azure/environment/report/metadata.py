"""A distribution's metadata, as an installer left it: its name, its requirements, its files."""

from __future__ import annotations

import csv
import json
import os
import re
import urllib.parse
import urllib.request
from typing import Any

DIRECT_URL_KINDS = ("vcs_info", "dir_info", "archive_info")
DEBIANS_FOLDER = "dist-packages"
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


class Found:
    """A distribution's metadata folder (or file, of an egg), and what is read of it at once."""

    def __init__(self, installed: Any) -> None:
        path = getattr(installed, "_path", None)  # of zipfile's own kind if it is in a zip file
        self.installed = installed
        self.folder = os.path.abspath(str(path)) if isinstance(path, os.PathLike) else None
        self.info = os.path.basename(self.folder or str(path).rstrip("/"))
        where = os.path.dirname(self.folder) if self.folder else str(installed.locate_file(""))
        self.location = os.path.abspath(where)
        headers = first_headers(self.text("METADATA") or self.text("PKG-INFO") or self.text(""))
        stem = self.info.rpartition(".")[0].split("-")
        self.name = single(headers, "name")
        self.version = single(headers, "version") or (stem[1] if len(stem) > 1 else "")
        self.requires = [value for key, value in headers if key == "requires-dist"]
        if not self.info.endswith(".dist-info"):
            self.requires = list(installed.requires or [])
        self.installer = self.text("INSTALLER").strip().lower()
        if not self.installer and os.path.basename(self.location) == DEBIANS_FOLDER:
            self.installer = "debian"  # which takes the file out
        self.record = self.read_record()
        self.direct_url = self.read_direct_url()

    def text(self, name: str) -> str:
        """Return the text of a file of the metadata; nothing if it isn't there."""
        if self.folder is None:
            return self.installed.read_text(name) or ""
        try:
            path = os.path.join(self.folder, name) if name else self.folder
            with open(path, encoding="utf-8", errors="replace", newline="") as file:
                return file.read()
        except OSError:
            return ""

    def read_record(self) -> list[list[str]] | None:
        """Return RECORD's rows: path, hash, size; None if there is none that can be read."""
        text = self.text("RECORD")
        try:
            rows = [row for row in csv.reader(text.split("\n")) if row and row[0]]
        except csv.Error:
            return None
        if os.sep == "\\":
            rows = [[row[0].replace("\\", "/"), *row[1:]] for row in rows]
        return rows or None

    def read_direct_url(self) -> dict[str, Any] | None:
        """Return direct_url.json (PEP 610), or the same of what `setup.py develop` left."""
        try:
            told = json.loads(self.text("direct_url.json") or "null")
        except ValueError:
            told = None
        if usable(told):
            return dict(told)
        if self.folder is None or not self.info.endswith(".egg-info"):
            return None
        if os.path.basename(self.location) in ("site-packages", DEBIANS_FOLDER):
            return None
        for folder in (self.location, os.path.dirname(self.location)):
            if any(os.path.exists(os.path.join(folder, name)) for name in PROJECT_FILES):
                url = "file:" + urllib.request.pathname2url(folder)
                if not url.startswith("file://"):  # before Python 3.14
                    url = "file://" + url[len("file:") :]
                return {"url": url, "dir_info": {"editable": True}}
        return None

    def editable(self) -> bool:
        told = (self.direct_url or {}).get("dir_info")
        return isinstance(told, dict) and told.get("editable") is True

    def recorded_at(self) -> int:
        """Return when the installation was complete, in ns: installers write RECORD last."""
        try:
            return os.stat(os.path.join(self.folder or "", "RECORD")).st_mtime_ns
        except OSError:
            return 0


def usable(told: Any) -> bool:
    """Whether direct_url.json says an address, and one thing more of it."""
    if not isinstance(told, dict) or not isinstance(told.get("url"), str):
        return False
    try:
        urllib.parse.urlsplit(told["url"])
    except ValueError:
        return False
    known = [told[key] for key in DIRECT_URL_KINDS if key in told]
    return len(known) == 1 and isinstance(known[0], dict)


def first_headers(text: str) -> list[tuple[str, str]]:
    """Return the headers of metadata; a parser of mail would read the long description, too."""
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        if not line.rstrip("\r"):
            break
        if line[0] in " \t" and found:
            key, value = found.pop()
            found.append((key, f"{value} {line.strip()}"))
        else:
            key, _, value = line.partition(":")
            found.append((key.strip().lower(), value.strip()))
    return found


def single(headers: list[tuple[str, str]], name: str) -> str:
    """Return a header's value; pip and others have written UNKNOWN for none."""
    value = next((value for key, value in headers if key == name), "")
    return "" if value == "UNKNOWN" else value


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
