"""The package's files are exchanged while a cluster runs, as `pip install -U` does."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ..complete import variant
from ..unit.link.test_kept_code import copy_packages
from .conftest import Profile, wait_for
from .test_caretaker import delete_controller_machine, link_log, record_of

# of the version that takes the place of the link's: a process that starts now can import it
MOVED = """
import sys
if sys.argv[0].endswith("link/__main__.py"):
    raise ImportError("this module is not where it was")
"""


@pytest.fixture
def installed(profile: Profile, tmp_path: Path) -> Profile:
    """A profile whose processes import a copy of the package, which is the folder `installed`."""
    copy_packages(tmp_path / "installed")
    environment = {"PYTHONPATH": str(tmp_path / "installed")}
    # no fork server: it has imported the package itself
    return replace(profile, environment=environment, server=None)


def _exchange(folder: Path) -> None:
    for path in folder.rglob("*.py"):
        path.write_text(f"{path.read_text()}{MOVED}")


def test_a_cluster_is_shown_and_stopped(installed: Profile, tmp_path: Path) -> None:
    installed.ipcluster("start", "-n", "1", "--daemonize")
    _exchange(tmp_path / "installed")
    status = installed.run("ipcluster-azure", "status", f"--profile={installed.name}").stdout
    assert "running, 1 of 1 engines registered" in status
    installed.ipcluster("stop")
    installed.assert_nothing_left()
    logs = [path.read_text() for path in (installed.folder / "log").glob("azure--ip*.log")]
    assert len(logs) == 2
    assert all("==> " in log for log in logs)


def test_its_link_deletes_a_cluster_with_its_logs(installed: Profile, tmp_path: Path) -> None:
    installed.ipcluster("start", "-n", "1", "--daemonize")
    _exchange(tmp_path / "installed")
    os.kill(record_of(installed).controller.pid, signal.SIGKILL)
    wait_for(lambda: "Azure has accepted the deletion" in link_log(installed), 30)
    wait_for(lambda: not installed.files())
    (log,) = (installed.folder / "log").glob("azure--ipcontroller-*.log")
    assert "Hub listening" in log.read_text()
    installed.ipcluster("stop", expect=None)
    installed.assert_nothing_left()


@variant
def test_its_link_asks_azure_what_became_of_the_machine(installed: Profile, tmp_path: Path) -> None:
    installed.ipcluster("start", "-n", "1", "--daemonize")
    _exchange(tmp_path / "installed")
    delete_controller_machine(installed)
    wait_for(lambda: "Azure has accepted the deletion" in link_log(installed), 30)
    assert "is gone: its machine does not run" in link_log(installed)
    installed.ipcluster("stop", expect=None)
    installed.assert_nothing_left()
