"""A stop from elsewhere between two steps of a start: it is what is told, and no secret stays."""

import asyncio
from pathlib import Path

import pytest

from ipcluster_azure.errors import ClusterStopped
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start.machine_requests import request_machines
from ipcluster_azure.start.request import JobFile

from ..plans import ENGINES
from ..settings.starts import Azure, context_in, start_with


def secrets_in(folder: Path) -> list[Path]:
    paths = [*folder.glob("azure_*parameters*"), *folder.glob("security/*")]
    return [path for path in paths if path.is_file() and path.stat().st_size]


@pytest.fixture
def on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordFile:
    """The record of a cluster whose controller was asked for."""
    return start_with(Azure(monkeypatch), tmp_path).context.file


def test_a_stop_before_the_keys_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure, file = Azure(monkeypatch), context_in(tmp_path).file
    with pytest.raises(ClusterStopped):
        start_with(azure, tmp_path, submit=lambda template: file.erase())
    assert secrets_in(file.path.parent.parent) == []
    assert not file.path.exists()


def test_a_stop_before_machines_are_asked_for(tmp_path: Path, on_record: RecordFile) -> None:
    on_record.erase()
    job = JobFile(tmp_path / "job.json", lambda template: None)
    with pytest.raises(ClusterStopped):
        asyncio.run(request_machines(context_in(tmp_path), ENGINES, job))


def test_a_stop_before_the_parameters_of_machines_are_written(
    tmp_path: Path, on_record: RecordFile
) -> None:
    job = JobFile(tmp_path / "job.json", lambda template: on_record.erase())
    with pytest.raises(ClusterStopped):
        asyncio.run(request_machines(context_in(tmp_path), ENGINES, job))
    assert secrets_in(on_record.path.parent.parent) == []
