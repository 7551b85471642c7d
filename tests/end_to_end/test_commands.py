"""ipcluster-azure itself."""

import importlib.metadata
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import client

from .conftest import Profile, wait_for

GOLDEN = Path(__file__).parents[1] / "golden"
API = (
    "from ipcluster_azure.clusters.whereabouts import configured",
    "where = configured('emulator', '')",
    "from ipcluster_azure.resource_manager.api import AzureApi",
    "api = AzureApi(where.endpoint, where.subscription_id)",
)


def test_init_makes_a_profile_that_starts(bare_profile: Profile) -> None:
    profile = bare_profile
    output = profile.run("ipcluster-azure", "init", "--profile=azure", "--template=emulator").stdout
    assert "ipcluster start --profile=azure" in output
    names = {"ipcluster_config.py", "ipcontroller_config.py", "ipengine_config.py"}
    assert {path.name for path in profile.folder.glob("*.py")} == names
    profile.ipcluster("start", "-n", "1", "--daemonize")
    check_status(profile)
    profile.ipcluster("stop")
    assert "No cluster" in profile.run("ipcluster-azure", "status", "--profile=azure").stdout
    profile.assert_nothing_left()


def check_status(profile: Profile) -> None:
    text = profile.run("ipcluster-azure", "status", "--profile=azure").stdout
    assert "running, 1 of 1 engines registered" in text
    assert "1 VM (1 Succeeded) for 1 engine" in text
    assert "tunnels for clients: open" in text
    [found] = json.loads(
        profile.run("ipcluster-azure", "status", "--profile=azure", "--json").stdout
    )
    assert (found["registered"], found["controller_exists"]) == (1, True)


def test_init_keeps_what_is_there_unless_told_otherwise(bare_profile: Profile) -> None:
    bare_profile.configure("mine = 1\n")
    config = bare_profile.folder / "ipcluster_config.py"
    assert "Kept" in bare_profile.run("ipcluster-azure", "init", "--profile=azure").stdout
    assert config.read_text() == "mine = 1\n"
    bare_profile.run("ipcluster-azure", "init", "--profile=azure", "--reset")
    assert "azurevm" in config.read_text()


def test_the_azure_template_is_the_default(bare_profile: Profile) -> None:
    bare_profile.run("ipcluster-azure", "init", "--profile=other")
    text = (bare_profile.ipython_dir / "profile_other" / "ipcluster_config.py").read_text()
    assert "emulator" not in text
    assert "c.AzureVMLauncher.location" in text


@pytest.mark.parametrize(
    ("status", "arguments", "message"),
    [
        (2, ["nosuch"], "there is no subcommand 'nosuch'; the subcommands are init, status"),
        (2, ["--debug", "list"], "there is no option '--debug'; the subcommands are init, status"),
        (2, ["stop", "--profile=a"], "is a subcommand of ipcluster: `ipcluster stop --profile=a`"),
        (2, ["start", "-n", "4"], "'start' is a subcommand of ipcluster: `ipcluster start -n 4`."),
        (2, ["init", "--template=nosuch"], "must be any of ['azure', 'emulator'], not 'nosuch'"),
        (2, ["init", "--nosuch=3"], "init: '--nosuch=3' is not one of its options, --profile"),
        (1, ["init", "--profile="], "'' is not a profile's name"),
        (1, ["init", "--profile=../up"], "'../up' is not a profile's name"),
        (1, ["status", "--profile=nosuch"], "ipcluster-azure init --profile=nosuch"),
        (
            2,
            ["status", "--profle=x"],
            "'--profle=x' is not one of its options, --json, --profile, --watch.",
        ),
    ],
)
def test_mistakes_are_refused(
    bare_profile: Profile, status: int, arguments: list[str], message: str
) -> None:
    done = bare_profile.run("ipcluster-azure", *arguments, expect=status)
    (line,) = done.stdout.splitlines()
    assert line.startswith("ipcluster-azure: ")
    assert message in line
    assert not list(bare_profile.ipython_dir.glob("profile_*/*.py"))


def test_help_and_version(bare_profile: Profile) -> None:
    assert "emulator" in bare_profile.run("ipcluster-azure").stdout
    assert "Subcommands" in bare_profile.run("ipcluster-azure", "--help").stdout
    version = bare_profile.run("ipcluster-azure", "--version").stdout.strip()
    assert version == importlib.metadata.version("ipcluster-azure")
    assert bare_profile.run("ipcluster-azure", "reap", "--version").stdout.strip() == version


def _running_record(profile: Profile) -> tuple[Path, dict[str, Any]]:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    path = profile.folder / "security" / "azure-.json"
    return path, json.loads(path.read_text())


def test_a_record_without_the_newest_members_stops_the_cluster(profile: Profile) -> None:
    path, record = _running_record(profile)
    golden = json.loads((GOLDEN / "record-1.json").read_text())
    older = {name: record[name] for name in golden}
    for part in ("endpoint", "environment", "controller", "plan"):
        older[part] = {name: record[part][name] for name in golden[part]}
    path.write_text(json.dumps(older))
    assert "Azure has accepted" in profile.ipcluster("stop")
    profile.assert_nothing_left()


@pytest.mark.parametrize("shared", [False, True], ids=["own group", "shared group"])
def test_a_record_of_a_newer_version_stops_the_cluster_by_its_tags(
    profile: Profile, shared: bool
) -> None:
    left: list[str] = []
    if shared:
        left = ["team"]
        profile.run("python", "-c", "\n".join((*API, "api.put_group('team', 'eastus', {})")))
        config = (profile.folder / "ipcluster_config.py").read_text()
        profile.configure(f"{config}c.AzureVMLauncher.resource_group = 'team'\n")
    path, record = _running_record(profile)
    os.kill(record["link_pid"], signal.SIGTERM)
    core = {"endpoint": record["endpoint"], "plan": record["plan"]}
    path.write_text(json.dumps({"format": 7, **core, "engines": "in another form"}))
    output = profile.ipcluster("stop")
    assert "written by another version" in output
    assert "by its tags" in output
    wait_for(lambda: profile.left_on_azure() == {"resource_groups": left, "virtual_machines": []})
    assert profile.files() == set()
    assert not list(profile.folder.glob("*.parameters.json"))
    client.reset(profile.emulator.state_dir)
    profile.assert_nothing_left()


def test_of_a_damaged_record_stop_says_what_to_do_and_that_does_it(profile: Profile) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(
        f"{config}c.AzureVMControllerLauncher.job_file_name = 'mine.json'\n"
        "c.AzureVMEngineSetLauncher.job_file_name = 'mine too-{cluster_id}.json'\n"
    )
    before = _private_files(profile)
    path, record = _running_record(profile)
    assert {"azure_controller-.parameters.json", "azure-.key"} < _private_files(profile)
    path.write_text(path.read_text()[:2000])
    output = profile.ipcluster("stop", expect=1)
    assert len(output.strip().splitlines()) <= 3, output
    assert "is damaged" in output
    assert "`ipcluster-azure reap`" in output
    assert "`ipcluster stop`" not in output
    os.kill(record["link_pid"], signal.SIGTERM)
    assert "not on record" in profile.run("ipcluster-azure", "reap", "--yes").stdout
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()
    assert _private_files(profile) == before


def _private_files(profile: Profile) -> set[str]:
    """Names of all files below the profile that only this user may read: secrets are."""
    files = (path for path in profile.folder.rglob("*") if path.is_file())
    return {path.name for path in files if not path.stat().st_mode & 0o077} - {".azure.lock"}


def test_records_of_what_azure_still_deletes_may_be_of_any_kind(profile: Profile) -> None:
    path, record = _running_record(profile)
    profile.ipcluster("stop")
    retired = path.parent / "azure_deleting"
    retired.mkdir()
    core = {"endpoint": record["endpoint"], "plan": record["plan"]}
    (retired / "newer.json").write_text(json.dumps({"format": 7, **core}))
    (retired / "damaged.json").write_text("{")
    _running_record(profile)
    assert [item.name for item in retired.iterdir()] == ["damaged.json"]
    profile.ipcluster("stop")
    assert "damaged.json" in profile.run("ipcluster-azure", "reap", "--yes").stdout
    retired.rmdir()
    profile.assert_nothing_left()
