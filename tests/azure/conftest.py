"""The target of these tests: the emulator, or with --target=azure a subscription that pays."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from azure_emulator.client import EmulatorInfo

from . import spending
from .groups import TaggedGroups, client_of_azure, client_of_emulator

TAG = "ipcluster-test-run"
# with the interpreter of the tests: theirs is large, and tests/end_to_end/test_same_python sends it
ON_EMULATOR = f"""
c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMLauncher.python_environment = "image"
c.AzureVMLauncher.image_python = {sys.executable!r}
"""
LOCATION = os.environ.get("IPCLUSTER_AZURE_TEST_LOCATION", "eastus")


@dataclass(frozen=True)
class Target:
    """`settings` are further lines of the profile's configuration."""

    name: str
    groups: TaggedGroups
    settings: str
    command_timeout_s: float
    deletion_timeout_s: float


@dataclass(frozen=True)
class User:
    """Someone with a profile who types commands."""

    ipython_dir: Path
    target: Target
    profile: str = "paid"
    variables: dict[str, str] = field(default_factory=dict)

    def configure(self, settings: str = "") -> None:
        folder = self.ipython_dir / f"profile_{self.profile}"
        folder.mkdir(parents=True)
        (folder / "ipcluster_config.py").write_text(
            "c = get_config()\n"
            "c.Cluster.controller_launcher_class = 'azurevm'\n"
            "c.Cluster.engine_launcher_class = 'azurevm'\n"
            f"c.AzureVMLauncher.location = {LOCATION!r}\n"
            f"c.AzureVMLauncher.vm_size = {spending.VM_SIZE!r}\n"
            f"c.AzureVMLauncher.max_lifetime_h = {spending.HOURS}\n"
            f"c.AzureVMLauncher.max_engines = {spending.VCPUS}\n"
            f"c.AzureVMLauncher.tags = {self.target.groups.tags}\n"
            f"{self.target.settings}{settings}"
        )

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).parent / command[0]), *command[1:]],
            env={**os.environ, "IPYTHONDIR": str(self.ipython_dir)},
            cwd=self.ipython_dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self.target.command_timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def ipcluster(self, command: str, *arguments: str) -> str:
        return self.run("ipcluster", command, f"--profile={self.profile}", *arguments)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Azure takes its time; and no time limit may cut the deletion short."""
    if config.getoption("target") == "azure":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.timeout(2400, func_only=True))


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """However the test ends: what carries its tag is deleted, and seen to be gone."""
    value = f"run-{secrets.token_hex(8)}"
    if request.config.getoption("target") == "azure":
        subscription_id = spending.agreed(os.environ).subscription_id
        client = client_of_azure(subscription_id)
        groups = TaggedGroups(client, TAG, value, poll_interval_s=10)
        settings = f"c.AzureVMLauncher.subscription_id = {subscription_id!r}\n"
        target = Target("azure", groups, settings, 900, 1200)
    else:
        info: EmulatorInfo = request.getfixturevalue("emulator")
        client = client_of_emulator(info)
        groups = TaggedGroups(client, TAG, value, poll_interval_s=0.1)
        target = Target("emulator", groups, ON_EMULATOR, 90, 30)
    with client:
        assert groups.names() == []  # and the login works, before anything is created
        print(f"Everything carries the tag {TAG}={value}")
        try:
            yield target
        finally:
            groups.delete_all(target.deletion_timeout_s)


@pytest.fixture
def user(tmp_path: Path, target: Target) -> User:
    return User(tmp_path / "ipython", target)
