"""A link's imports after `pip install -U` has put other files in the place of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import azure_emulator
import ipcluster_azure

# what a link imports when it is needed: see the functions of caretaker.py and those they call
LATER = (
    "ipcluster_azure.link.replacements",
    "ipcluster_azure.progress",
    "ipcluster_azure.resource_manager.power",
    "ipcluster_azure.start.ssh_rule",
    "ipcluster_azure.stop.teardown",
)
LINK = """
import sys
import ipcluster_azure.link.__main__
from ipcluster_azure.link.kept_code import keep_code
keep_code()
assert not set(sys.modules).intersection({later!r})
print("kept", flush=True)
sys.stdin.read()
for name in {later!r}:
    __import__(name)
from ipcluster_azure.errors import AzureLauncherError
assert sys.modules["ipcluster_azure.stop.teardown"].AzureLauncherError is AzureLauncherError
"""


def copy_packages(folder: Path) -> None:
    for package in (ipcluster_azure, azure_emulator):
        source = Path(package.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / package.__name__, ignore=ignored)


def test_what_is_imported_later_is_what_was_there_at_the_start(tmp_path: Path) -> None:
    copy_packages(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", LINK.format(later=LATER)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as link:
        assert link.stdout.readline() == "kept\n"  # type: ignore[union-attr]
        for path in tmp_path.iterdir():
            shutil.rmtree(path)
        link.communicate(timeout=60)
    assert link.returncode == 0
