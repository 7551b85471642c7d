"""Wheels fetched by this computer: from indexes that machines don't reach."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
import urllib3

from ..errors import ConfigurationError
from .indexes import Indexes, without_credentials
from .lock import Wheel

THREADS = 8
CONNECT_S, ANSWER_S, KEYRING_S = 6.0, 30.0, 20.0
REFUSALS = (401, 403)
BLOCK = 1 << 20


def try_to_fetch(wheels: Iterable[Wheel], folder: Path, indexes: Indexes) -> list[Wheel | str]:
    """Put them into the folder, and return them with their paths and hashes, in their order.

    Those of an index are compared with the SHA-256 that it told. For one that can't be had the
    reason is returned in its place.
    """
    with session_for(indexes) as session, ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(partial(_try, folder, indexes, session), wheels))


def fetch(wheels: Iterable[Wheel], folder: Path, indexes: Indexes) -> list[Wheel]:
    """The same as try_to_fetch, but raises ConfigurationError that names all that can't be had."""
    results = try_to_fetch(wheels, folder, indexes)
    if faults := [result for result in results if isinstance(result, str)]:
        raise ConfigurationError(
            f"What the machines are to have can't be fetched: {'; '.join(sorted(set(faults)))}."
        )
    return [result for result in results if isinstance(result, Wheel)]


def fetch_one(file: Wheel, folder: Path, indexes: Indexes) -> Path:
    """The same of one file, which may be an archive of sources, too; return its path."""
    (fetched,) = fetch([file], folder, indexes)
    return folder / fetched.name


@contextmanager
def session_for(indexes: Indexes) -> Iterator[requests.Session]:
    """Yield a session with the certificates that pip is configured with."""
    with requests.Session() as session, warnings.catch_warnings():
        if indexes.trusted:
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        session.verify = indexes.certificates or True
        session.cert = indexes.client_certificate or None
        if indexes.proxy:
            session.proxies = {"http": indexes.proxy, "https": indexes.proxy}
        yield session


def get(
    session: requests.Session, indexes: Indexes, url: str, auth: tuple[str, str] | None = None
) -> requests.Response:
    """Begin to get an address, with what is known for its host if no user and password is given."""
    parts = urlsplit(url)
    verify = None
    if {parts.hostname, parts.netloc.rpartition("@")[2]} & indexes.trusted:
        verify = False
    return session.get(
        url if parts.query else without_credentials(url),
        auth=auth or indexes.credentials(url),
        stream=True,
        timeout=(CONNECT_S, ANSWER_S),
        verify=verify,
    )


def _try(folder: Path, indexes: Indexes, session: requests.Session, wheel: Wheel) -> Wheel | str:
    """Return why it can't be had instead of raising that, so that all such are told at once."""
    path = folder / wheel.name
    try:
        if wheel.sha256 and path.exists() and file_hash(path) == wheel.sha256:
            return Wheel(wheel.name, wheel.sha256, path=path)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as file:
            try:
                sha256 = _copy(indexes, session, wheel, file)  # type: ignore[arg-type]
                file.close()
                if wheel.sha256 and sha256 != wheel.sha256:
                    return f"{wheel.name} is not the file that the index describes"
                os.replace(file.name, path)
            finally:
                Path(file.name).unlink(missing_ok=True)
    except requests.HTTPError as error:
        status = "" if error.response is None else error.response.status_code
        return f"{wheel.name} from {indexes.of(wheel.url)}: HTTP {status}"
    except requests.RequestException as error:
        # its text has the whole address
        return f"{wheel.name} from {indexes.of(wheel.url)}: {type(error).__name__}"
    except OSError as error:
        return f"{wheel.name}: {error.strerror or error}"
    return Wheel(wheel.name, sha256, path=path)


def _copy(indexes: Indexes, session: requests.Session, wheel: Wheel, file: BinaryIO) -> str:
    if wheel.path is not None or urlsplit(wheel.url).scheme == "file":
        path = wheel.path or Path(url2pathname(urlsplit(wheel.url).path))
        with path.open("rb") as source:
            shutil.copyfileobj(source, file, BLOCK)
        return file_hash(path)
    answer = get(session, indexes, wheel.url)
    if answer.status_code in REFUSALS and (found := _from_keyring(indexes, wheel.url)):
        answer.close()
        answer = get(session, indexes, wheel.url, found)
    with answer:
        answer.raise_for_status()
        digest = hashlib.sha256()
        for block in answer.iter_content(BLOCK):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _from_keyring(indexes: Indexes, url: str) -> tuple[str, str] | None:
    """Ask the program `keyring` for the index of this address, as pip and uv do."""
    program = shutil.which("keyring", path=indexes.environment.get("PATH"))
    user = (indexes.credentials(url) or ("", ""))[0]
    if program is None or not user:
        return None
    for service in (indexes.of(url), urlsplit(url).netloc.rpartition("@")[2]):
        try:
            done = subprocess.run(
                [program, "get", service, user],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=KEYRING_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode == 0 and done.stdout.strip():
            return user, done.stdout.strip("\r\n")
    return None
