"""Ctrl-C while the command is still being imported."""

import subprocess
import sys

import pytest

CODE = """
import sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from ipcluster_azure.commands.entry import main
sys.argv[0] = "ipcluster-azure"
main()
"""
# imported by the command itself, or by one subcommand
MODULES = ["ipcluster_azure.commands.app", "ipyparallel", "ipcluster_azure.clusters.notebook"]


@pytest.mark.parametrize("module", MODULES)
def test_ctrl_c_during_the_imports_is_one_line(module: str) -> None:
    code = f"MODULE = {module!r}\n{CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code, "notebook", "--no-browser"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "ipcluster-azure: interrupted.\n")
