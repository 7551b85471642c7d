"""The last visit before machines are deleted, as a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipcluster_azure.link.farewell import visit_before_deletion
from ipcluster_azure.record.contents import (
    DELETING,
    VISIT_BEGUN,
    VISIT_DONE,
    VISIT_OFFERED,
)
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start.link_process import is_link
from ipcluster_azure.stop.visit_process import link_visits, visit_machines

from ..record.test_record import _record


def test_the_command_is_the_same_in_all_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link starts it from the files that are there then, which may be another version's."""
    commands: list[list[str]] = []

    def run(command: list[str], **options: object) -> "subprocess.CompletedProcess[bytes]":
        commands.append(command)
        return subprocess.CompletedProcess(command, len(commands) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    file = RecordFile(tmp_path / "azure-.json")
    assert visit_machines(file, timeout_s=5.0)
    assert not visit_machines(file, set_id="s", stop=True, timeout_s=20.0)
    python = [sys.executable, "-m", "ipcluster_azure.stop.last_visit", str(file.path)]
    assert commands == [
        [*python, "--timeout-s=5.0"],
        [*python, "--timeout-s=20.0", "--set=s", "--stop"],
    ]


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[RecordFile]:
    """The record of a cluster that is being deleted, and whose link was stopped by a signal."""
    file = RecordFile(tmp_path / "azure-.json")
    link = subprocess.Popen([sys.executable, "-m", "ipcluster_azure.link", str(file.path)])
    os.kill(link.pid, signal.SIGSTOP)
    record = _record()
    record.state, record.link_pid, record.last_visit = DELETING, link.pid, VISIT_OFFERED
    file.create(record)
    while not is_link(link.pid, file):  # until it has become Python
        time.sleep(0.01)
    yield file
    link.kill()
    link.wait()


def test_a_link_that_hangs_is_not_waited_for(hanging: RecordFile) -> None:
    began = time.monotonic()
    assert not link_visits(hanging)
    assert time.monotonic() - began < 3
    # should it go on now, it fetches nothing a second time
    asyncio.run(visit_before_deletion(hanging, None))
    assert hanging.require().last_visit == ""


def test_a_link_that_dies_is_not_waited_for(hanging: RecordFile) -> None:
    _note(hanging, VISIT_BEGUN)
    killing = threading.Timer(0.3, os.kill, (hanging.require().link_pid, signal.SIGKILL))
    killing.start()
    began = time.monotonic()
    assert not link_visits(hanging)
    assert time.monotonic() - began < 3


def test_a_link_that_has_begun_is_waited_for(hanging: RecordFile) -> None:
    _note(hanging, VISIT_BEGUN)
    ending = threading.Timer(2.0, _note, (hanging, VISIT_DONE))
    ending.start()
    began = time.monotonic()
    assert link_visits(hanging)
    assert 2.0 <= time.monotonic() - began < 5


def test_a_link_without_a_connection_says_so(hanging: RecordFile) -> None:
    asyncio.run(visit_before_deletion(hanging, None))
    began = time.monotonic()
    assert not link_visits(hanging)
    assert time.monotonic() - began < 1


def test_a_link_that_deletes_the_cluster_itself_does_not_wait_for_itself(
    hanging: RecordFile,
) -> None:
    with hanging.edit() as record:
        record.link_pid = os.getpid()
    began = time.monotonic()
    assert not link_visits(hanging)
    assert time.monotonic() - began < 1


def _note(file: RecordFile, how_far: str) -> None:
    with file.edit() as record:
        record.last_visit = how_far
