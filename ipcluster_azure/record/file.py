"""The record on disk: read and changed by any process of this user, one at a time."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..endpoint import RecordCore
from ..errors import AzureLauncherError, ClusterStopped, RecordDamaged, RecordOfOtherVersion
from ..private_files import erase, erase_unfinished, unreadable, write_private
from .contents import FORMAT, Record, UnknownMembers
from .paths import ClusterPaths

if TYPE_CHECKING:
    from filelock import FileLock

LOCK_TIMEOUT_S = 30.0
LOCK_LOOK_S = 0.05
WATCH_INTERVAL_S = 1.0  # launchers look that often whether their cluster is still on record
# by their files: the locks that this process holds, and the loops of those who do
_holders: dict[str, tuple["FileLock", asyncio.AbstractEventLoop]] = {}


@asynccontextmanager
async def held(lock: "FileLock") -> AsyncIterator[None]:
    """Hold a lock that another task, thread or process may have; waits as long as it takes.

    Where the lock's folder is gone there is nothing left to guard, and it is not made anew.
    """
    from filelock import Timeout

    while True:
        if not Path(lock.lock_file).parent.is_dir():
            break
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            _release_if_abandoned(lock.lock_file)
            await asyncio.sleep(LOCK_LOOK_S)
    if lock.is_locked:
        _holders[lock.lock_file] = lock, asyncio.get_running_loop()
    try:
        yield
    finally:
        lock.release()
        if _holders.get(lock.lock_file, (None,))[0] is lock:
            del _holders[lock.lock_file]


def _release_if_abandoned(lock_file: str) -> None:
    """Release a lock of this process whose holder's event loop does not run any more.

    A second signal may end the loop of a stop at the interpreter's exit, where ipyparallel stops
    the cluster once more: it would wait for itself, and the link for both.
    """
    lock, loop = _holders.get(lock_file, (None, None))
    if lock is not None and loop is not None and not loop.is_running():
        lock.release(force=True)


class RecordFile(ClusterPaths):
    """The record of one cluster of one profile, and the files that live and die with it."""

    @classmethod
    def of(cls, profile_dir: str, cluster_id: str) -> "RecordFile":
        return cls(Path(profile_dir) / "security" / f"azure-{cluster_id}.json")

    @contextmanager
    def _edit_lock(self) -> Iterator[None]:
        """Hold the lock under which records change: one for all clusters of the profile.

        It is held for milliseconds. Its file is never removed, since then two processes could hold
        it. Raises ClusterStopped where the folder is gone, which the lock would make anew.
        """
        from filelock import FileLock, Timeout  # costs every ipcluster command 30 ms, few edit

        if not self.path.parent.is_dir():
            raise ClusterStopped(f"{self.path.parent} is gone, and the record in it.")
        lock = FileLock(self.path.parent / ".azure.lock", timeout=LOCK_TIMEOUT_S)
        try:
            lock.acquire()
        except Timeout as error:
            raise AzureLauncherError(
                f"{lock.lock_file} has been held by another process for {LOCK_TIMEOUT_S:.0f} s, "
                "perhaps one that is suspended. End it and run the same command again."
            ) from error
        try:
            yield
        finally:
            lock.release()

    @property
    def _teardown_lock(self) -> Path:
        return self.path.with_suffix(".teardown")

    def bootstrap_lock(self) -> "FileLock":
        """Held while the controller, or the way to it, is being set up."""
        from filelock import FileLock

        return FileLock(self._bootstrap_lock)

    @property
    def _bootstrap_lock(self) -> Path:
        return self.path.with_suffix(".bootstrap")

    def sync_lock(self) -> "FileLock":
        """Held while the user's files on the machines are being brought up to date."""
        from filelock import FileLock

        return FileLock(self._sync_lock)

    @property
    def _sync_lock(self) -> Path:
        return self.path.with_suffix(".sync")

    def teardown_lock(self) -> "FileLock":
        """Held while this cluster, or one of its engine sets, is being deleted."""
        from filelock import FileLock

        return FileLock(self._teardown_lock)

    def version(self) -> tuple[int, int]:
        """Return what differs once the record has been written again, or is gone."""
        try:
            found = self.path.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns

    def read(self) -> Record | None:
        """Return the record, or None if there is no such cluster (any more).

        Raises RecordDamaged or RecordOfOtherVersion if it can't be understood, AzureLauncherError
        if the operating system does not let it be read.
        """
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(self.path, error) from error
        return _parse(text, self.path)

    def is_created(self) -> bool:
        """Return whether nothing runs on the machines, which are there, as far as can be read."""
        with suppress(AzureLauncherError):
            record = self.read()
            return record is not None and record.is_created
        return False

    def require(self) -> Record:
        """Return the record, as read() does; raises ClusterStopped if there is none."""
        record = self.read()
        if record is None:
            raise ClusterStopped(self.absent())
        return record

    def create(self, record: Record) -> None:
        """Write the record of a new cluster: the only one who makes the folders for it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.path, record.to_json())

    @contextmanager
    def edit(self) -> Iterator[Record]:
        """Read, let the caller change, write back: as one step for all processes.

        Raises ClusterStopped if there is no such cluster any more.
        """
        with self._edit_lock():
            record = self.require()
            yield record
            write_private(self.path, record.to_json())

    def retire(self) -> None:
        """Put the record aside, so that its name is free while Azure still deletes.

        It must hold no secret any more.
        """
        with self._edit_lock():
            record = self.require()
            self.retired_dir.mkdir(mode=0o700, exist_ok=True)
            os.replace(self.path, self.retired_dir / f"{record.plan.names.base}.json")
        self._erase_companions()

    def erase(self) -> None:
        """Remove the record and every file that is of no use without it."""
        # with the lock: else an edit under way would bring it back
        with suppress(ClusterStopped), self._edit_lock():
            self.path.unlink(missing_ok=True)
        self._erase_companions()

    def erase_ways_in(self) -> None:
        """Remove the files that lead to the machines."""
        for path in self.ways_in:
            erase(path)

    def _erase_companions(self) -> None:
        for companion in self.companions:
            erase(companion)
        erase_unfinished(self.path)
        with suppress(OSError):
            self._bootstrap_lock.unlink()
        with suppress(OSError):
            self._sync_lock.unlink()

    def remove_teardown_lock(self) -> None:
        """For the last one out: whoever takes the lock from now on finds no record."""
        with suppress(OSError):  # Windows keeps a lock's file while another waits for it
            self._teardown_lock.unlink()


def _parse(text: str, path: Path) -> Record:
    try:
        data = json.loads(text)
        core = RecordCore.from_data(data)
        if data["format"] != FORMAT:
            raise UnknownMembers(f"format {data['format']}, here {FORMAT}")
        return Record.from_data(data)
    except UnknownMembers as error:
        raise RecordOfOtherVersion(
            f"{path} was written by another version of ipcluster-azure ({error}). The version that "
            "started the cluster can go on with it; `ipcluster stop` of this one deletes it.",
            core,
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordDamaged(
            f"The cluster's record {path} is damaged ({error!r}). Delete the cluster with "
            "`ipcluster-azure reap`, which finds it by its tags."
        ) from error


def read_core(path: Path) -> RecordCore:
    """Return what a record of any format says of where its cluster is; raises RecordDamaged."""
    try:
        return _parse(path.read_text(encoding="utf-8", errors="replace"), path).core
    except RecordOfOtherVersion as error:
        return error.core
