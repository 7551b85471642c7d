"""Where the files of packages are, of which a job file says no more than their hashes."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .steps import Failed

INDEX = "https://pypi.org/simple"
THREADS, ANSWER_S = 12, 30.0
# a page of an index by PEP 503
LINK = re.compile(r'href="([^"#]+)#sha256=([0-9a-f]{64})')


def find_addresses(lock: Path, index: str = INDEX) -> None:
    """Fill in the addresses and files that the lock leaves out. Raises Failed, naming the packages
    that the index doesn't have, and OSError if it can't be reached."""
    content = json.loads(lock.read_text(encoding="utf-8"))
    lacking = [one for one in content["packages"] if "url" not in one]

    def fill_in(package: dict[str, str]) -> None:
        url = _files(f"{index}/{package['name']}/").get(package["sha256"], "")
        package.update(url=url, file=urllib.parse.unquote(url.rpartition("/")[2]))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill_in, lacking))
    gone = [f"{one['name']} {one['version']}" for one in lacking if not one["url"]]
    if gone:
        raise Failed(f"{index} does not have the files of {', '.join(gone)} any more")
    incomplete = lock.with_suffix(".new")
    incomplete.write_text(json.dumps(content), encoding="utf-8")
    incomplete.replace(lock)


def _files(page: str) -> dict[str, str]:
    """Return the addresses on a page of an index, by the files' hashes."""
    request = urllib.request.Request(page, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=ANSWER_S) as reply:
        text = reply.read().decode(errors="replace")
    return {sha256: urllib.parse.urljoin(page, link) for link, sha256 in LINK.findall(text)}
