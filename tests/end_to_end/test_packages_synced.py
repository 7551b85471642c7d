"""Packages of a running cluster brought up to date: `ipcluster-azure sync`."""

import re
import time
from pathlib import Path

import ipyparallel as ipp
import pytest

from azure_emulator.testing import fault, faults

from .conftest import TWO_LINES, Profile, wait_for
from .test_network_cut import INSTANCE
from .test_own_files import machines_of, sync

MINIMAL = f"""{TWO_LINES}
c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMLauncher.engines_per_vm = 1
c.AzureVMLauncher.python_environment = "minimal"
c.AzureVMLauncher.requirements = """

ONE_MORE = """
import ipyparallel as ipp
ipp.Cluster.from_file(profile="azure").start_engines_sync(1)
"""


@ipp.interactive
def version(name: str) -> str:
    import importlib.metadata

    __import__(name)
    return importlib.metadata.version(name)


def versions(client: ipp.Client, name: str) -> list[str]:
    """The versions of what the engines import, one after the other."""
    found: list[str] = client[:].apply_sync(version, name)
    return found


def only_packages(said: str) -> str:
    """The one line on packages of what a sync says; others are progress, or on files."""
    (line,) = (one for one in said.splitlines() if "package" in one and not one.endswith(" s)"))
    return line


@pytest.mark.timeout(300)
def test_packages_of_a_running_cluster(bare_profile: Profile, tmp_path: Path) -> None:
    profile = bare_profile
    profile.cwd = tmp_path / "empty"  # without modules: it is about packages alone
    profile.cwd.mkdir()

    def require(*requirements: str) -> None:
        profile.configure(f"{MINIMAL}{list(requirements)}\n")

    require("tabulate==0.8.10")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    assert only_packages(sync(profile)) == "The packages are up to date."
    with profile.client() as client:
        with pytest.raises(ipp.error.CompositeError, match="run `ipcluster-azure sync`"):
            versions(client, "toolz")

        require("tabulate==0.8.10", "toolz==0.12.1")
        said = only_packages(sync(profile))
        assert said == ("1 package added (toolz 0.12.1); the engines go on, and can import them.")
        assert versions(client, "toolz") == ["0.12.1"] * 2
        assert versions(client, "tabulate") == ["0.8.10"] * 2
        assert sorted(client.ids) == [0, 1]

        require("tabulate==0.9.0", "toolz==0.12.1")
        client[:].apply_async(time.sleep, 120)
        said = sync(profile, expect=1)
        assert "Nothing was changed, as engines compute: 0, 1." in said
        said = only_packages(sync(profile, "--force"))
        assert said == (
            "1 package changed (tabulate 0.8.10 -> 0.9.0); engines 0, 1 are started anew as 2, 3."
        )
        wait_for(lambda: sorted(client.ids) == [2, 3])
        assert versions(client, "tabulate") == ["0.9.0"] * 2

    require("tabulate==0.9.0", "six==1.16.0")
    with faults(profile.emulator, fault("no_network", type=INSTANCE, running=True, for_s=16)):
        time.sleep(1)
        began = time.monotonic()
        said = sync(profile, expect=1)
        assert "1 package added (six 1.16.0), 1 removed (toolz 0.12.1); engine " in said
        (name,) = re.findall(r"^ipcluster-azure: (\S+) did not answer", said, re.MULTILINE)
        assert name in {machine.name for machine in machines_of(profile)}
        time.sleep(max(0.0, began + 16 - time.monotonic()))
    said = only_packages(sync(profile))
    assert said.startswith("1 package added (six 1.16.0), 1 removed (toolz 0.12.1); engine ")
    assert only_packages(sync(profile)) == "The packages are up to date."
    with profile.client() as client:
        wait_for(lambda: len(client.ids) == 2)
        assert versions(client, "six") == ["1.16.0"] * 2
        with pytest.raises(ipp.error.CompositeError, match="The engines don't have toolz"):
            versions(client, "toolz")
        profile.python(ONE_MORE)
        wait_for(lambda: len(client.ids) == 3)
        assert versions(client, "six") == ["1.16.0"] * 3
    profile.ipcluster("stop")
