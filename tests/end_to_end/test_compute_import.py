"""Who imports Azure's client of compute, which costs 0.15 s and 15 MB, and who does without."""

from dataclasses import replace
from pathlib import Path

from .conftest import Profile

SPY = '''
import os, sys

class Spy:
    """Writes down which process imports it."""

    def find_spec(self, name, path=None, target=None):
        if name == "azure.mgmt.compute":
            with open(os.environ["SPY_LOG"], "a") as log:
                log.write(" ".join(sys.orig_argv[1:]) + "\\n")

sys.meta_path.insert(0, Spy())
'''


def test_only_a_start_and_a_stop_import_it(profile: Profile, tmp_path: Path) -> None:
    """The link, the last visit and every command that only looks have other things to do."""
    log = tmp_path / "imports.log"
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy" / "sitecustomize.py").write_text(SPY)
    environment = {"PYTHONPATH": str(tmp_path / "spy"), "SPY_LOG": str(log)}
    spied = replace(profile, environment=environment, server=None)
    spied.ipcluster("start", "-n=1", "--daemonize")
    started = log.read_text().splitlines()
    assert started
    assert all("ipcluster start" in line or "ipyparallel" in line for line in started), started
    log.write_text("")
    spied.ipcluster("list")
    spied.run("ipcluster-azure", "list", "--endpoint=emulator")
    spied.run("ipcluster-azure", "status", f"--profile={spied.name}")
    assert log.read_text() == ""
    spied.ipcluster("stop")
    assert log.read_text().count("\n") == 1
    assert "stop" in log.read_text()
    assert "last_visit" not in log.read_text()
    profile.assert_nothing_left()
