"""What is wrong with a package index, where uv says only that a package isn't there."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import requests

from ..errors import ConfigurationError
from .fetch import get, session_for
from .indexes import Indexes, without_credentials
from .uv import causes

REFUSALS = (401, 403, 407)
UNKNOWN = re.compile(
    r"(\S+) was not found in the package registry|there is no version of ([^\s=<>!~]+)"
)
FAILED = re.compile(r"Failed to fetch: `?([^`\s]+)`?")


def check_indexes(indexes: Indexes, said: str) -> None:
    """Raise ConfigurationError if uv failed, and wrote this, as an index did, or refuses.

    With a wrong password uv calls a package unknown, so the indexes are asked for one.
    """
    # a file alone that is gone leaves others, and what is installed
    if "404 Not Found" not in said and (failed := FAILED.search(said)):
        raise ConfigurationError(
            f"The package index {indexes.of(failed[1])} can't be used: {causes(said)[-1]}. Is it "
            "reached from here, and are pip and uv configured with its right address?"
        )
    unknown = UNKNOWN.search(said)
    if unknown is None:
        return
    package = unknown[1] or unknown[2]
    urls = dict.fromkeys(url for url in indexes.urls if urlsplit(url).scheme in ("http", "https"))
    with ThreadPoolExecutor(max(1, len(urls))) as threads:
        refusals = list(threads.map(lambda url: _refusal(indexes, url, package), urls))
    if named := list(filter(None, refusals)):
        raise ConfigurationError(
            f"{' '.join(named)} So {package} and others of its packages can't be had. Correct "
            "what pip, uv, netrc or keyring have for it here."
        )


def _refusal(indexes: Indexes, url: str, package: str) -> str:
    """Say that an index lets nobody in with the credentials of here; empty if it does."""
    address = f"{without_credentials(url).rstrip('/')}/{package}/"
    try:
        with (
            session_for(indexes) as session,
            get(session, indexes, address, indexes.credentials(url)) as answer,
        ):
            status = answer.status_code
    except requests.RequestException:
        return ""
    if status not in REFUSALS:
        return ""
    what = "the user name or password" if indexes.credentials(url) else "to answer without any"
    return f"The package index {without_credentials(url)} refused {what} (HTTP {status})."
