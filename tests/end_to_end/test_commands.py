"""ipcluster-azure itself."""

import json

import pytest

from .conftest import Profile


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
    assert "1 engines on 1 VMs (1 Succeeded)" in text
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
    ("arguments", "message"),
    [
        (["nosuch"], "there is no subcommand 'nosuch'"),
        (["init", "--template=nosuch"], "azure"),
        (["init", "--nosuch=3"], "not"),
        (["init", "extra"], "not 'extra'"),
        (["init", "--profile="], "not a profile's name"),
        (["init", "--profile=../up"], "not a profile's name"),
        (["status", "--profile=nosuch"], "ipcluster-azure init --profile=nosuch"),
        (["status", "--nosuch=3"], "not"),
    ],
)
def test_mistakes_are_refused(bare_profile: Profile, arguments: list[str], message: str) -> None:
    done = bare_profile.run("ipcluster-azure", *arguments, expect=None)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert not list(bare_profile.ipython_dir.glob("profile_*/*.py"))


def test_help_and_version(bare_profile: Profile) -> None:
    assert "emulator" in bare_profile.run("ipcluster-azure").stdout
    assert "Subcommands" in bare_profile.run("ipcluster-azure", "--help").stdout
    assert bare_profile.run("ipcluster-azure", "--version").stdout.strip()
