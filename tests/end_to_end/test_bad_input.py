"""Each mistake gets one clear line and a non-zero exit; nothing is created, nothing lost."""

import time
from pathlib import Path

import pytest

from azure_emulator.testing import policy, restricted

from .conftest import IMAGE, TWO_LINES, Profile, local_controllers

EMULATED = f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n'

MISTAKES = {
    "unknown size": (
        f'{EMULATED}c.AzureVMLauncher.vm_size = "Standard_D4s_v55"',
        "Did you mean standard_d4s_v5?",
    ),
    "unknown engine size": (
        f'{EMULATED}c.AzureVMEngineSetLauncher.vm_size = "Huge"',
        "vm_size 'Huge' is not offered",
    ),
    "misspelt setting": (
        f'{EMULATED}c.AzureVMLauncher.locaton = "eastus"',
        "did you mean location",
    ),
    "misspelt section": (
        f'{EMULATED}c.AzureVMLaunchers.location = "eastus"',
        "did you mean AzureVMLauncher",
    ),
    "wrong type": (f'{EMULATED}c.AzureVMLauncher.boot_timeout_s = "soon"', "boot_timeout_s"),
    "unknown group": (
        f'{EMULATED}c.AzureVMLauncher.resource_group = "nosuch"',
        "Resource group nosuch does not exist",
    ),
    "foreign controller": (
        f'{EMULATED}c.Cluster.controller_launcher_class = "local"',
        "need a controller on Azure",
    ),
    "foreign engines": (
        f'{EMULATED}c.Cluster.engine_launcher_class = "local"',
        "needs engines on Azure",
    ),
    "nobody there": (
        f'{TWO_LINES}c.AzureVMLauncher.endpoint = "https://127.0.0.1:9"\n'
        'c.AzureVMLauncher.subscription_id = "s"\nc.AzureVMLauncher.ssh_source = "10.0.0.0/8"',
        "Run `az login`",
    ),
}


def _refused(profile: Profile, *args: str) -> str:
    output = profile.ipcluster("start", *(args or ("-n", "2")), expect=1)
    for path in (profile.folder / "security").glob("ipcontroller-*.json"):
        path.unlink()  # ipyparallel's own local controller leaves them
    profile.assert_nothing_left()
    assert not local_controllers(profile)
    return output


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_configuration(bare_profile: Profile, mistake: str) -> None:
    config, message = MISTAKES[mistake]
    bare_profile.configure(config)
    output = _refused(bare_profile)
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert message in line


@pytest.mark.parametrize(
    ("n", "why"),
    [("0", "at least 1"), ("-1", "at least 1"), ("99999", "max_engines"), ("1000", "room for 123")],
)
def test_an_impossible_number_of_engines(profile: Profile, n: str, why: str) -> None:
    output = _refused(profile, f"--n={n}")
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert why in line
    assert "Submitting" not in output


def test_too_many_engines_in_a_call_are_found_before_the_controller_is_requested(
    profile: Profile,
) -> None:
    output = profile.python(
        "import ipyparallel as ipp\n"
        f"c = ipp.Cluster(profile='{profile.name}', cluster_id='')\n"
        "for n in (1000, '4'):\n"
        "    try: c.start_cluster_sync(n=n)\n"
        "    except ValueError as error: print(error, c.controller.state)\n"
        "    c.stop_cluster_sync()\n"
    )
    assert "room for 123" in output
    assert "must be a whole number, not '4'. before" in output
    assert not list(profile.folder.glob("azure_controller-*.json"))


def test_a_mistake_with_daemonize_ends_it_too(profile: Profile) -> None:
    assert "at least 1" in _refused(profile, "--n=0", "--daemonize")


def test_an_unreadable_token(bare_profile: Profile, tmp_path: Path) -> None:
    # the emulator's directory can't be made, since a file is in its place
    blocker = tmp_path / "file"
    blocker.write_text("")
    bare_profile.environment["IPCLUSTER_AZURE_EMULATOR_STATE_DIR"] = str(blocker / "state")
    bare_profile.configure(EMULATED)
    assert "The emulator can't be used" in _refused(bare_profile)


def test_a_second_cluster_of_the_same_name_leaves_the_first_alone(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    before = profile.left_on_azure()
    assert "already running" in profile.ipcluster("start", "-n", "1", expect=10)
    output = profile.python(
        "import ipyparallel as ipp\n"
        f"c = ipp.Cluster(profile='{profile.name}', cluster_id='', shutdown_atexit=False)\n"
        "try: c.start_cluster_sync(n=1)\n"
        "except ValueError as error: print(error)"
    )
    assert "running already" in output
    assert profile.left_on_azure() == before
    assert (
        profile.python(
            f"import ipyparallel as ipp; print(ipp.Client(profile='{profile.name}').ids)"
        )
        == "[0]"
    )


def test_no_engines_more_are_nothing_lost(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    before = profile.left_on_azure()
    output = profile.ipcluster("engines", "--n=0", expect=1)
    assert "at least 1" in output
    assert profile.left_on_azure() == before


def test_engines_without_a_cluster(profile: Profile) -> None:
    output = profile.ipcluster("engines", "--n=1", expect=1)
    assert "There is no cluster on Azure in this profile" in output
    profile.assert_nothing_left()


def test_engines_that_are_too_few_for_the_minimum(profile: Profile) -> None:
    profile.configure(f"{EMULATED}{IMAGE}c.AzureVMLauncher.min_engines = 3\n")
    assert "min_engines = 3" in _refused(profile)


@pytest.mark.parametrize(
    "lacking",
    [
        "Microsoft.Compute/virtualMachines/write",
        "Microsoft.Compute/virtualMachineScaleSets/write",
        "Microsoft.Network/virtualNetworks/subnets/join/action",
        "Microsoft.Resources/subscriptions/resourceGroups/write",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    ],
)
def test_a_login_that_may_not_do_all_that_is_needed(profile: Profile, lacking: str) -> None:
    began = time.monotonic()
    with restricted(profile.emulator, ["*"], [lacking]):
        output = _refused(profile)
    assert time.monotonic() - began < 60  # 3 s on an idle computer, and no waiting for anything
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert "Azure does not allow" in line
    assert f"'{lacking}'".lower() in line.lower()


def test_a_policy_that_forbids_what_is_needed(profile: Profile) -> None:
    untagged = {"field": "tags['costCenter']", "exists": False}
    with policy(profile.emulator, "require-costCenter", untagged):
        output = _refused(profile)
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert "was disallowed by policy" in line
    assert "require-costCenter" in line
