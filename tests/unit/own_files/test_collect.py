"""Files -> one archive: limits, what can't be read, and what has changed."""

import io
import os
import tarfile
import threading
from pathlib import Path

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.own_files import collect as module
from ipcluster_azure.own_files.choice import Choice
from ipcluster_azure.own_files.collect import MANIFEST, Archive, collect
from ipcluster_azure.own_files.manifest import Manifest

from .test_choice import make


def content(archive: Archive) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_only_what_has_changed_is_packed(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.py", "pkg/__init__.py")
    choice = Choice(tmp_path, ("auto",), 1)
    first = collect(choice)
    assert list(content(first.archive())) == [MANIFEST, "a.py", "b.py", "pkg/__init__.py"]
    before = Manifest.from_json(first.manifest.to_json())
    assert before == first.manifest
    (tmp_path / "a.py").write_text("new = 1")
    (tmp_path / "b.py").unlink()
    second = collect(choice)
    packed = content(second.archive(before))
    assert packed.pop("a.py") == b"new = 1"
    assert Manifest.from_json(packed.pop(MANIFEST).decode()) == second.manifest
    assert packed == {}
    assert second.manifest.gone_since(before) == ["b.py"]
    assert second.manifest.id != before.id
    assert collect(choice).archive() == second.archive()


@pytest.mark.parametrize("limit", ["bytes", "number"])
def test_too_much_is_said_with_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    make(tmp_path, "a.py", "pkg/__init__.py")
    (tmp_path / "pkg" / "large.py").write_bytes(b"#" * 2_500_000)
    if limit == "number":
        monkeypatch.setattr(module, "MOST_FILES", 2)
    choice = Choice(tmp_path, ("auto",), 1 if limit == "bytes" else 64)
    reason = {"bytes": "sync_limit_mb = 1", "number": "the 2 files that are sent at most"}[limit]
    with pytest.raises(ConfigurationError) as caught:
        collect(choice)
    assert str(caught.value).startswith(
        f"3 files in {tmp_path} with 2.5 MB are more than {reason}; the largest: pkg/large.py "
        "(2.5 MB), "
    )
    lenient = collect(choice, lenient=True)  # nobody has asked for it: nothing to fail for
    assert not lenient.contents
    assert lenient.manifest.id == ""
    (warning,) = lenient.warnings
    assert f"The modules of {tmp_path} are not sent: 3 files" in warning
    assert "sync_paths = [] sends nothing" in warning


def test_a_folder_with_far_too_much_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipcluster_azure.own_files.modules.MOST_LOOKS", 100)
    make(tmp_path, *(f"data/{number}.txt" for number in range(101)))
    (warning,) = collect(Choice(tmp_path, ("auto",), 64), lenient=True).warnings
    assert f"{tmp_path} has more than 100 files and folders to be looked at" in warning


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_can_not_be_read_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "secret.py", "closed/b.py")
    (tmp_path / "secret.py").chmod(0)
    (tmp_path / "closed").chmod(0)
    default = collect(Choice(tmp_path, ("auto",), 64))
    assert list(default.contents) == ["a.py"]
    (warning,) = default.warnings
    assert "secret.py (Permission denied)" in warning
    with pytest.raises(ConfigurationError, match="closed can't be read"):
        collect(Choice(tmp_path, ("closed",), 64))


def test_a_file_that_changes_all_the_time_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"0" * 50_000_000)  # takes longer to read than to change
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            with open(path, "r+b") as file:
                file.write(b"1")
            os.utime(path)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        with pytest.raises(ConfigurationError, match=r"log\.csv \(it changes while it is read\)"):
            collect(Choice(tmp_path, ("log.csv",), 64))
    finally:
        ended.set()
        thread.join()


def test_a_name_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("x = 1")
    (warning,) = collect(Choice(tmp_path, ("auto",), 64)).warnings
    assert "its name is no UTF-8" in warning


def test_names_that_hide_other_modules_are_said_in_a_line_each(tmp_path: Path) -> None:
    make(tmp_path, "random.py", "json/__init__.py", "numpy.py", "mine.py", "email/data.py")
    found = collect(Choice(tmp_path, ("auto",), 64)).warnings
    assert len(found) == 2
    assert found[0].startswith("json, random among your modules hides Python's own")
    assert found[1] == "numpy among your modules hides the installed package"
    make(tmp_path, "src/random.py")
    assert collect(Choice(tmp_path, ("src",), 64)).warnings[0].startswith("random ")
