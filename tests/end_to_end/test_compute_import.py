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
if "ipcluster_azure.stop.last_visit" in sys.orig_argv:
    with open(os.environ["SPY_LOG"], "a") as log:
        log.write("a last visit of its own\\n")
'''


def test_neither_the_link_nor_a_list_imports_it(profile: Profile, tmp_path: Path) -> None:
    """A start and a stop do; the link, which runs beside them and fetches the logs at a stop, does
    not: a last visit of its own is made where there is no link (tests/unit/stop)."""
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
    assert log.read_text() == ""
    spied.ipcluster("stop")
    assert log.read_text().count("\n") == 1
    assert "stop" in log.read_text()
    logs = [*(profile.folder / "log").rglob("*")]
    assert any("==> ipcontroller.log <==" in one.read_text() for one in logs if one.is_file())
    profile.assert_nothing_left()
