"""One cluster is stopped from two places at once, as in a terminal and in JupyterLab's panel."""

import re
from pathlib import Path

from azure_emulator.testing import fault, faults
from ipcluster_azure.plan.resource_types import VIRTUAL_MACHINE

from .conftest import Profile, wait_for

PANEL = """
import sys, time, pathlib
import ipyparallel as ipp
cluster = ipp.Cluster.from_file(profile="azure", cluster_id="")
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.01)
cluster.stop_cluster_sync()
print("stopped")
"""
TROUBLE = re.compile(r"ERROR|CRITICAL|Error|could not")


def test_both_end_well(profile: Profile, tmp_path: Path) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    slow = fault("delay", method="DELETE", type=VIRTUAL_MACHINE, delay_s=5)
    found, go = tmp_path / "found", tmp_path / "go"
    with faults(profile.emulator, slow) as met:
        panel = profile.popen("python", "-c", PANEL, str(found), str(go))
        wait_for(found.exists, 60)
        terminal = profile.popen("ipcluster", "stop", f"--profile={profile.name}")
        wait_for(lambda: met.fired == [1], 60)
        go.touch()
        for process in (terminal, panel):
            said, _ = process.communicate(timeout=90)
            assert process.returncode == 0, said
            assert not TROUBLE.search(said), said
    profile.assert_nothing_left()
