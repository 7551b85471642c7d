"""`ipcluster-azure doctor`: all that a start needs is looked at, and what is missing named."""

import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from azure_emulator.testing import fault, faults, quota, restricted, restricted_sizes
from ipcluster_azure.resource_manager.role import ACTIONS

from .conftest import ON_EMULATOR, TWO_LINES, Profile

CHECKS = (
    "versions",
    "profile",
    "settings",
    "subscription",
    "address",
    "login",
    "endpoint",
    "providers",
    "rights",
    "sizes and quota",
)
READS = [
    "Microsoft.Authorization/permissions/read",
    "Microsoft.Resources/subscriptions/providers/read",
]
EMULATED = f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n'


def doctor(profile: Profile, *args: str, expect: int) -> dict[str, tuple[str, str]]:
    """What was looked at -> (state, text)."""
    output = profile.run("ipcluster-azure", "doctor", *args, expect=expect).stdout
    lines = [re.fullmatch(r"(\w+) +([^:]+): (.*)", line) for line in output.splitlines()]
    return {line[2]: (line[1], line[3]) for line in lines if line and line[1] != "Next"}


def test_all_is_well(profile: Profile) -> None:
    found = doctor(profile, "--n=9", expect=0)
    assert tuple(found) == CHECKS
    assert {state for state, _ in found.values()} == {"ok"}
    sizes = found["sizes and quota"][1]
    assert "room for 9 engines on 3 x Standard_D4s_v5" in sizes
    assert "4 machines, disks and address: about $0.188 an hour, at most $2.25 until" in sizes
    assert profile.left_on_azure()["resource_groups"] == []


OLD_LINES = """
c = get_config()
c.IPClusterStart.controller_launcher_class = "azurevm"
c.IPClusterEngines.engine_launcher_class = "azurevm"
"""
SHOW = (
    "import ipyparallel as ipp",
    "cluster = ipp.Cluster(profile={!r}, shutdown_atexit=False)",
    "print(cluster.controller_launcher_class.__name__, cluster.engine_launcher_class.__name__)",
)


def test_lines_that_only_ipcluster_start_takes_are_told_and_updated(profile: Profile) -> None:
    launchers = "\n".join(SHOW).format(profile.name)
    profile.configure(ON_EMULATOR.replace(TWO_LINES, OLD_LINES))
    assert "LocalControllerLauncher LocalEngineSetLauncher" in profile.python(launchers)
    found = doctor(profile, expect=0)
    assert found["profile"][0] == "warning"
    assert "ipp.Cluster and JupyterLab's panel start local engines" in found["profile"][1]
    assert {state for what, (state, _) in found.items() if what != "profile"} == {"ok"}
    status = profile.run("ipcluster-azure", "status", f"--profile={profile.name}").stdout
    assert f"`ipcluster-azure init --profile={profile.name} --update`" in status
    for option in ("--reset", "--template=azure"):
        profile.run("ipcluster-azure", "init", "--update", option, expect=2)
    output = profile.run("ipcluster-azure", "init", "--update").stdout
    assert '-c.IPClusterStart.controller_launcher_class = "azurevm"' in output
    assert '+c.Cluster.controller_launcher_class = "azurevm"' in output
    assert "ipcluster_config.py.old" in output
    assert profile.python(launchers) == "AzureVMControllerLauncher AzureVMEngineSetLauncher"
    assert doctor(profile, expect=0)["profile"][0] == "ok"
    assert "Nothing to update" in profile.run("ipcluster-azure", "init", "--update").stdout


def _no_rights(info: Any) -> AbstractContextManager[None]:
    return restricted(info, [*ACTIONS, *READS, "*/disks/write"], ["*/virtualMachines/write"])


def _no_reads(info: Any) -> AbstractContextManager[None]:
    return restricted(info, list(ACTIONS))


TROUBLES: dict[str, tuple[str, str, Any, str, str]] = {
    "launchers": (
        'c.AzureVMLauncher.endpoint = "emulator"\n',
        "profile",
        None,
        "failed",
        "c.Cluster.controller_launcher_class = 'azurevm'",
    ),
    "setting": ("c.AzureVMLauncher.locaton = 'x'\n", "settings", None, "failed", "did you mean"),
    "group": (
        'c.AzureVMLauncher.resource_group = "nosuch"\n',
        "endpoint",
        None,
        "failed",
        "az group create",
    ),
    "engines": ("c.AzureVMLauncher.engine_args = ['x']\n", "settings", None, "failed", "'x' is no"),
    "room": (
        "c.AzureVMLauncher.engines_per_vm = 1\nc.AzureVMLauncher.address_prefix = '10.0.0.0/25'\n",
        "sizes and quota",
        None,
        "failed",
        "makes 60 machines, but there is room for 59",
    ),
    "address": (
        f"{TWO_LINES}c.AzureVMLauncher.endpoint = 'https://127.0.0.1:9'\n"
        "c.AzureVMLauncher.public_ip_service = 'https://127.0.0.1:9'\n"
        "c.AzureVMLauncher.subscription_id = 's'\n",
        "address",
        None,
        "failed",
        "ssh_source = 'A.B.C.D/32'",
    ),
    "login": (
        f"{TWO_LINES}c.AzureVMLauncher.endpoint = 'https://127.0.0.1:9'\n"
        "c.AzureVMLauncher.subscription_id = 's'\nc.AzureVMLauncher.ssh_source = '10.0.0.0/8'\n",
        "login",
        None,
        "failed",
        "az login",
    ),
    "rights": ("", "rights", _no_rights, "failed", "Microsoft.Compute/virtualMachines/write"),
    "unknown rights": ("", "rights", _no_reads, "unknown", "permissions/read"),
    "quota": (
        "",
        "sizes and quota",
        lambda info: quota(info, "cores", 4),
        "failed",
        "is too small",
    ),
    "size": (
        "",
        "sizes and quota",
        lambda info: restricted_sizes(info, {"sku": "Standard_D4s_v5"}),
        "failed",
        "NotAvailableForSubscription",
    ),
    "image of the engines": (
        "c.AzureVMEngineSetLauncher.image = 'Canonical:ubuntu-24_04-lts:server-arm64:latest'\n",
        "sizes and quota",
        None,
        "failed",
        "the image is for Arm64",
    ),
    "provider": (
        "",
        "providers",
        lambda info: faults(
            info, fault("refuse", name="Microsoft.Compute", status=500, times=None)
        ),
        "failed",
        "Microsoft.Compute",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_missing_is_named(bare_profile: Profile, trouble: str) -> None:
    config, what, context, state, words = TROUBLES[trouble]
    whole = config if "get_config" in config else f"{EMULATED}{config}"
    if trouble == "launchers":
        whole = f"c = get_config()\n{config}"
    bare_profile.configure(whole)
    bare_profile.environment |= {
        "AZURE_CONFIG_DIR": "/nowhere",
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
    }
    with context(bare_profile.emulator) if context else nullcontext():
        found = doctor(bare_profile, "--n=60", expect=0 if state == "unknown" else 1)
    assert found[what][0] == state
    assert words in found[what][1]
    before = [found[check][0] for check in CHECKS[: CHECKS.index(what)]]
    assert set(before) <= {"ok", "unknown"}, found
    assert tuple(found) == CHECKS


def test_a_group_of_the_users_needs_less(profile: Profile) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.AzureVMLauncher.resource_group = 'team'\n")
    from .test_reap import Azure

    azure = Azure(profile.emulator)
    azure.group("team")
    new_groups = ["*/resourceGroups/write", "*/resourceGroups/delete"]
    with restricted(profile.emulator, [*ACTIONS, *READS, "*/disks/write"], new_groups):
        assert doctor(profile, expect=0)["rights"][0] == "ok"
    with restricted(profile.emulator, [*ACTIONS, *READS, "*/disks/write"], ["*/join/action"]):
        assert "subnets/join/action" in doctor(profile, expect=1)["rights"][1]
    azure.api.delete_group("team")
    azure.api.__exit__()


def test_a_given_subnet_is_looked_at(profile: Profile) -> None:
    subscription = f"/subscriptions/{profile.emulator.subscription_id}"
    network = f"{subscription}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/none"
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.AzureVMLauncher.subnet_id = '{network}/subnets/compute'\n")
    found = doctor(profile, expect=1)
    assert tuple(found) == (*CHECKS, "subnet")
    assert found["subnet"] == ("failed", found["subnet"][1])
    assert "does not exist" in found["subnet"][1]
