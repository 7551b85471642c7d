"""The id of a home directory: made once, kept, and missing where it can't be kept."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ipcluster_azure.record import home
from ipcluster_azure.record.home import home_id, home_id_file

SAY = "from ipcluster_azure.record.home import home_id; print(home_id())"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return home_id_file()


def test_it_is_made_once_for_this_user_alone(file: Path) -> None:
    first = home_id()
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert home_id() == first == file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="others have other folders")
def test_it_lies_in_the_home_and_in_no_ipython_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    assert file == tmp_path / "data" / "ipcluster-azure" / "home-id"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert home_id_file() == tmp_path / ".local" / "share" / "ipcluster-azure" / "home-id"


def test_another_home_has_another(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = home_id()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    assert home_id() not in ("", first)


def test_all_who_make_it_at_once_get_the_same(file: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", SAY], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert said == {f"{file.read_text()}\n"}


@pytest.mark.parametrize("damaged", ["", "x", "f" * 31, "\N{EURO SIGN}" * 32, "F" * 32])
def test_a_damaged_one_is_made_anew(file: Path, damaged: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(damaged, encoding="utf-8")
    assert home_id() == file.read_text() != damaged


@pytest.mark.parametrize("where", ["above", "folder", "file"])
def test_where_it_can_not_be_kept_there_is_none(file: Path, where: str) -> None:
    """Whoever runs this: root may write where modes forbid it, so the way is blocked."""
    if where == "above":
        file.parent.parent.write_text("a file")
    elif where == "folder":
        file.parent.parent.mkdir()
        file.parent.write_text("a file")
    else:
        file.mkdir(parents=True)
    assert home_id() == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_in_a_home_that_is_closed_there_is_none(file: Path, mode: int) -> None:
    file.parent.mkdir(parents=True)
    file.parent.chmod(mode)
    try:
        assert home_id() == ""
    finally:
        file.parent.chmod(0o700)


def test_a_read_only_home_keeps_the_one_it_has(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = home_id()

    def refuse(path: Path, text: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(home, "write_private", refuse)
    assert home_id() == first
    file.unlink()
    assert home_id() == ""


def test_without_a_home_directory_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(home, "home_id_file", lambda: Path("~/.local/share/home-id"))
    assert home_id() == ""
    assert list(tmp_path.iterdir()) == []
