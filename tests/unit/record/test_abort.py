"""As what the failure of a start is told while its cluster is being deleted."""

from pathlib import Path

import pytest

from ipcluster_azure.errors import BootstrapFailed, ClusterStopped
from ipcluster_azure.record.abort import STOPPED, as_stopped
from ipcluster_azure.record.contents import DELETING

from ..settings.starts import Azure, context_in, start_with

BROKEN = BootstrapFailed("The connection to the controller broke.")


def test_a_stop_is_why_connections_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JupyterLab's button STOP ends a start that is at work over SSH."""
    file = start_with(Azure(monkeypatch), tmp_path).context.file
    with file.edit() as record:
        record.state = DELETING
    told = as_stopped(file, BROKEN)
    assert isinstance(told, ClusterStopped)
    assert (str(told), told.__cause__) == (STOPPED, BROKEN)
    file.erase()
    assert str(as_stopped(file, BROKEN)) == STOPPED


def test_what_the_link_ends_it_for_is_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = start_with(Azure(monkeypatch), tmp_path).context.file
    with file.edit() as record:
        record.ended_because = "ipcontroller ended."
    assert as_stopped(file, BROKEN) is BROKEN


def test_a_mistake_of_ours_is_not_hidden(tmp_path: Path) -> None:
    for error in (KeyError("nosuch"), ClusterStopped("The engines were stopped.")):
        assert as_stopped(context_in(tmp_path).file, error) is error
