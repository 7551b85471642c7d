"""Private files: whole or not at all, their owner's alone; and what can't be read is said."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ipcluster_azure.errors import AzureLauncherError
from ipcluster_azure.private_files import (
    erase,
    erase_unfinished,
    files_in,
    write_private,
    write_private_bytes,
)

DYING = """
import os, pathlib, signal, sys
from ipcluster_azure.private_files import write_private

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

{nameless}
os.{step} = die
write_private(pathlib.Path(sys.argv[1]), "new")
"""
NO_NAMELESS = "del os.O_TMPFILE"
needs_nameless = pytest.mark.skipif(
    not hasattr(os, "O_TMPFILE"), reason="this system has no files without a name"
)


def _die_in(step: str, path: Path, nameless: str = "") -> None:
    program = DYING.format(step=step, nameless=nameless)
    died = subprocess.run([sys.executable, "-c", program, path], timeout=30, check=False)
    assert died.returncode == -signal.SIGKILL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "profile_azure" / "security"
    folder.mkdir(parents=True)
    return folder / "cluster-.json"


@pytest.mark.parametrize("nameless", [True, False], ids=["nameless", "named"])
def test_a_file_is_its_owners_alone_and_replaced_whole(
    path: Path, nameless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    for text in ("first \N{EURO SIGN}", "second"):
        write_private(path, text)
        assert path.read_text(encoding="utf-8") == text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("nameless", [True, False], ids=["nameless", "named"])
def test_a_folder_that_is_gone_is_not_made_anew(
    path: Path, nameless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    path.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        write_private(path, "text")
    erase(path)
    assert not path.parent.exists()


def test_a_new_file_is_whole_before_it_is_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(path.exists()))
    write_private(path, "text")
    assert seen == [False]


@pytest.mark.parametrize("nameless", [True, False], ids=["nameless", "named"])
def test_all_of_it_is_on_the_disk_before_it_has_its_name(
    path: Path, nameless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Python still holds back is not synced, and after a power cut it would be missing."""
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    write_private(path, "text")
    assert synced == [4]


@needs_nameless
@pytest.mark.parametrize("step", ["fdopen", "fsync", "link"])
def test_a_first_write_that_is_killed_leaves_nothing(path: Path, step: str) -> None:
    """Nobody would look for it: `ipcluster stop` finds no cluster, and Azure has none."""
    _die_in(step, path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("step", ["fdopen", "fsync", "replace"])
@pytest.mark.parametrize("old", ["old", ""], ids=["later", "first"])
def test_what_another_write_that_is_killed_leaves_is_found(path: Path, step: str, old: str) -> None:
    if old:
        path.write_text(old)
    _die_in(step, path, NO_NAMELESS)
    assert [item.name for item in path.parent.glob(".cluster-.json.*")] != []
    assert path.exists() == bool(old)
    erase_unfinished(path)
    assert list(path.parent.iterdir()) == [path] * bool(old)


def test_with_a_file_goes_what_a_killed_write_of_it_left(path: Path) -> None:
    path.write_text("secret")
    path.with_name(".cluster-.json.a1b2c3d4").write_text("sec")
    erase(path)
    assert list(path.parent.iterdir()) == []


def test_two_may_erase_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One finds what the other has removed by then."""
    left = path.with_name(".cluster-.json.a1b2c3d4")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [left])
    erase(path)
    assert list(path.parent.iterdir()) == []


def test_what_belongs_to_another_file_is_not_erased(path: Path) -> None:
    others = {path.with_name(".cluster-.json"), path.with_name(".cluster-2.json.a1b2c3d4"), path}
    for other in others:
        other.touch()
    erase_unfinished(path)
    assert set(path.parent.iterdir()) == others


@needs_nameless
@pytest.mark.parametrize("step", ["open", "link"])
def test_where_a_nameless_file_is_refused_it_gets_a_name(
    path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, or where /proc is not mounted."""
    usual, refused = getattr(os, step), []

    def refuse(*args: object, **kwargs: int) -> object:
        if step == "open" and int(args[1]) & os.O_TMPFILE != os.O_TMPFILE:  # type: ignore[call-overload]
            return usual(*args, **kwargs)
        refused.append(step)
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, step, refuse)
    write_private(path, "text")
    assert refused == [step]
    assert path.read_text() == "text"
    assert list(path.parent.iterdir()) == [path]


@needs_nameless
def test_of_two_first_writes_both_are_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def late(source: str, target: Path, src_dir_fd: int) -> None:
        path.write_text("another's")
        link(source, target, src_dir_fd=src_dir_fd)

    monkeypatch.setattr(os, "link", late)
    write_private(path, "ours")
    assert path.read_text() == "ours"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("before", ["old", ""], ids=["later", "first"])
def test_a_failed_write_leaves_the_old_text_and_nothing_else(path: Path, before: str) -> None:
    if before:
        write_private(path, before)
    with pytest.raises(TypeError):
        write_private_bytes(path, None)  # type: ignore[arg-type]
    assert [item.read_text() for item in path.parent.iterdir()] == [before] * bool(before)


def test_a_write_that_fails_when_its_file_is_erased_says_what_failed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)

    def erased_meanwhile(descriptor: int) -> None:
        erase(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", erased_meanwhile)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, "text")


def test_files_are_found_by_a_pattern_and_sorted(path: Path) -> None:
    for name in ("c2.json", "c10.json", "c1.txt"):
        path.with_name(name).touch()
    found = [path.with_name("c10.json"), path.with_name("c2.json")]
    assert files_in(path.parent, "*.json") == found


def test_there_is_nothing_where_there_is_no_folder(path: Path) -> None:
    assert files_in(path.parent / "none", "*") == []
    path.touch()
    assert files_in(path, "*") == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")],
)
def test_what_cannot_be_read_is_not_taken_for_nothing(
    path: Path, error: OSError, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> list[str]:
        raise error

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(AzureLauncherError) as caught:
        files_in(path.parent, "*")
    assert str(caught.value).startswith(f"{path.parent} can't be read ({reason}), so what it has")
    assert caught.value.__cause__ is error
