"""Downloads wheels, and keeps them: a file of the folder is complete, and has its hash."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import shutil
import tarfile
import threading
import time
import urllib.error
import urllib.parse
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO

from .lines import Lines
from .lock import Package
from .steps import PROGRESS_S, Failed, emit

THREADS, TRIES = 12, 3
SILENCE_S = 6.0  # without a byte, or until a connection is there
FILE_S = 300.0  # for one file
PAUSE_S = 0.5  # before another try
CHUNK = 1 << 18
DOING = "downloading the packages"
FINAL = range(400, 500)  # HTTP statuses that another try won't change
NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


class OutOfReach(Exception):
    """A file can't be had from this machine."""


class Download:
    """Wheels that have an address, on their way into `folder`.

    `kept` is where this machine keeps wheels from one cluster to the next, or None: there they are
    looked for, and what is downloaded is put there as well. After `run`, `unreachable` has the
    files that could not be had from this machine, with the reason.
    """

    def __init__(self, packages: Sequence[Package], folder: Path, kept: Path | None) -> None:
        self.packages, self.folder, self.kept = packages, folder, kept
        self.unreachable: dict[str, str] = {}
        self._silent: dict[str, str] = {}  # host that does not answer -> why
        self._done, self._bytes, self._lock = 0, 0, threading.Lock()
        self._over = threading.Event()  # one has failed: the others end, too
        self._lines = Lines(SILENCE_S)

    def why(self) -> str:
        return "; ".join(sorted({*self.unreachable.values()}))

    def run(self) -> None:
        """Return when all are there, or known to be out of reach; raises Failed for a wrong hash,
        and OSError for what can't be written."""
        began = time.monotonic()
        with contextlib.closing(self._lines), ThreadPoolExecutor(THREADS) as pool:
            # the largest first: else all wait for one at the end
            packages = sorted(self.packages, key=lambda package: -package.size)
            todo: set[Future[None]] = {pool.submit(self._fetch, one) for one in packages}
            try:
                while todo:
                    done, todo = wait(todo, max(0.0, PROGRESS_S - 0.5))
                    for future in done:
                        future.result()
                    self._done += len(done)
                    if todo:
                        seconds = round(time.monotonic() - began, 1)
                        emit("progress", doing=DOING, detail=self._so_far(), seconds=seconds)
            except BaseException:
                self._over.set()
                for future in todo:
                    future.cancel()
                raise

    def _so_far(self) -> str:
        total = sum(package.size for package in self.packages) / 1e6
        of_total = f" of {total:.0f}" if total else ""
        files = f"{self._done} of {len(self.packages)} packages"
        return f"{files}, {self._bytes / 1e6:.0f}{of_total} MB"

    def _fetch(self, package: Package) -> None:
        """Have one wheel in the folder, or note why not."""
        target = self.folder / package.file
        if self.kept and kept_file(self.kept, package).exists():
            share(kept_file(self.kept, package), target)
            return
        part = target.with_name(f"{target.name}.part")
        try:
            self._download(package, part)
            part.replace(target)
            if self.kept:
                keep(self.kept, package, target)
        except OutOfReach as reason:
            self.unreachable[package.file] = str(reason)
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()

    def _download(self, package: Package, part: Path) -> None:
        """Write a file that has the right hash; raises Failed, OutOfReach or OSError."""
        url = urllib.parse.urldefrag(package.url or "").url
        host = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        for left in reversed(range(TRIES)):
            if host in self._silent or self._over.is_set():
                raise OutOfReach(self._silent.get(host, "another file failed"))
            try:
                found = self._receive(url, part)
            except urllib.error.HTTPError as error:
                why = f"{host} answers {error.code} {error.reason}"
                if error.code in FINAL:
                    raise OutOfReach(why) from error
            except (OSError, http.client.HTTPException) as error:
                if getattr(error, "errno", None) in NOT_WRITABLE:
                    raise
                why = f"{host} can't be reached: {getattr(error, 'reason', None) or error}"
                if not left:
                    self._silent[host] = why
            else:
                if found == package.sha256:
                    return
                if not left:
                    raise Failed(
                        f"{package.file} from {host} has the SHA-256 {found}, and not "
                        f"{package.sha256} as when the packages were chosen"
                    )
                continue
            if not left:
                raise OutOfReach(why)
            self._over.wait(PAUSE_S)

    def _receive(self, url: str, part: Path) -> str:
        """Write what is at an address to a file; returns its SHA-256."""
        give_up_at, digest, size = time.monotonic() + FILE_S, hashlib.sha256(), 0
        try:
            with self._lines.get(url) as reply, open(part, "wb") as file:
                expected = reply.headers.get("Content-Length")
                for chunk in iter(lambda: reply.read(CHUNK), b""):
                    digest.update(chunk)
                    file.write(chunk)
                    size += len(chunk)
                    self._count(len(chunk))
                    if time.monotonic() > give_up_at or self._over.is_set():
                        raise TimeoutError(f"it took longer than {FILE_S:.0f} s")
            if expected is not None and size != int(expected):
                raise ConnectionError(f"the connection ended after {size} of {expected} bytes")
        except BaseException:
            self._count(-size)
            raise
        return digest.hexdigest()

    def _count(self, size: int) -> None:
        with self._lock:
            self._bytes += size


def copy(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy all; returns its SHA-256."""
    digest = hashlib.sha256()
    for chunk in iter(lambda: source.read(CHUNK), b""):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def share(source: Path, target: Path) -> None:
    """Have a file under another name, too; neither is ever written to again."""
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        try:
            os.link(source, new)
        except OSError:  # on another file system
            shutil.copy(source, new)
        new.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()


def kept_wheels() -> Path | None:
    """Return where wheels are kept beside uv's own cache, if the image brings one of that.

    Each is in a folder that is named by its hash. What uv has unpacked of a wheel it finds again by
    the wheel's path, so it is installed from here.
    """
    cache = os.environ.get("UV_CACHE_DIR")
    if not cache:
        return None
    folder = Path(cache) / "ipcluster-azure-wheels"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept_file(kept: Path, package: Package) -> Path:
    return kept / package.sha256 / package.file


def keep(kept: Path, package: Package, wheel: Path) -> None:
    """Keep a wheel for other machines that have the same cache, unless it is there."""
    file = kept_file(kept, package)
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        share(wheel, file)


def get_wheels(root: Path, packages: Sequence[Package]) -> bool:
    """Have all wheels in DIR/wheels, as far as this machine can; returns whether all are there.

    Those that have no address are told of at once, as "needed": the launcher sends them meanwhile.
    Those that can't be had from here are told of at the end, as "unreachable".
    """
    folder = root / "wheels"
    folder.mkdir(mode=0o700, exist_ok=True)
    lacking = [package for package in packages if not (folder / package.file).exists()]
    if needed := [package.file for package in lacking if not package.url]:
        emit("needed", files=needed)
    download = Download([one for one in lacking if one.url], folder, kept_wheels())
    download.run()
    if download.unreachable:
        emit("unreachable", files=sorted(download.unreachable), why=download.why())
    return all((folder / package.file).exists() for package in packages)


def receive_wheels(root: Path, packages: Sequence[Package], stream: IO[bytes]) -> None:
    """Have in DIR/wheels what a tar archive holds of a lock's wheels; raises Failed for others."""
    folder, expected = root / "wheels", {package.file: package.sha256 for package in packages}
    folder.mkdir(mode=0o700, exist_ok=True)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            source = archive.extractfile(member)
            if source is None or member.name not in expected:
                raise Failed(f"{member.name} was sent, and is not in the lock")
            part = folder / f"{member.name}.sent"
            with open(part, "wb") as file:
                sha256 = copy(source, file)
            if sha256 != expected[member.name]:
                part.unlink()
                raise Failed(f"{member.name} was changed since the packages were chosen")
            part.replace(folder / member.name)
