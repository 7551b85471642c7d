"""No text of the project names the computer that it was written on."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ..project_files import ROOT, project_files
from .markdown import pages, text_of

# what documentation and configuration may name; tests and code have hosts of their own
HOSTS = frozenset(
    """
    127.0.0.1 github.com ipyparallel.readthedocs.io cosmic-ray.readthedocs.io
    docs.coiled.io packaging.python.org
    keepachangelog.com semver.org
    learn.microsoft.com shell.azure.com docs.skypilot.co docs.ray.io docs.coiled.io
    api.ipify.org prices.azure.com
    management.azure.com management.usgovcloudapi.net management.chinacloudapi.cn
    """.split()
)
ENVIRONMENT = re.compile(r"(?i)(.*_)?(index|index_url|proxy|find_links|mirror)")


def _local_hosts() -> Iterator[str]:
    """Hosts of this computer's proxies and package indexes, unless everybody knows them."""
    for name, value in os.environ.items():
        if ENVIRONMENT.fullmatch(name) and "//" in value:
            host = urlsplit(value).hostname or ""
            if "." in host and host not in HOSTS | {"pypi.org"}:
                yield host


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def test_no_file_names_this_computer() -> None:
    folder = [str(ROOT)] if len(ROOT.parts) > 2 else []  # /app, say, may be a word of its own
    here = [*folder, *_local_hosts()]
    found = [
        (path.name, word) for path in project_files() for word in here if word in _text(ROOT / path)
    ]
    assert found == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_private_path_or_host(page: Path) -> None:
    text = text_of(page)
    assert re.findall(r"(?<![\w>.])/(?:work|root|home|Users|tmp)/\S*", text) == []
    hosts = {urlsplit(url).hostname or "" for url in re.findall(r"https?://[^\s)>,\"'`]+", text)}
    assert {host for host in hosts - HOSTS if not host.endswith("example.com")} == set()


def test_pages_have_no_trailing_space_and_end_with_a_newline() -> None:
    for page in pages():
        text = text_of(page)
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), page
        assert text.endswith("\n"), page
        assert not text.endswith("\n\n"), page
