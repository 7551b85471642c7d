"""Each mistake gets one clear line and a non-zero exit; nothing is created, nothing lost."""

import signal
import time
from pathlib import Path

import pytest

from azure_emulator.testing import policy, restricted

from .conftest import IMAGE, TWO_LINES, Profile, local_controllers, wait_for

EMULATED = f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n'

MISTAKES = {
    "another program": (
        f"{EMULATED}c.AzureVMEngineSetLauncher.engine_cmd = ['nice', 'python']\n",
        "engine_cmd must end in 'ipengine'",
    ),
    "a command of two lines": (
        f"{EMULATED}c.AzureVMControllerLauncher.controller_cmd = ['a\\nb', 'ipcontroller']\n",
        "controller_cmd must end in 'ipcontroller'",
    ),
    "unknown size": (
        f'{EMULATED}c.AzureVMLauncher.vm_size = "Standard_D4s_v55"',
        "Did you mean Standard_D4s_v5?",
    ),
    "unknown engine size": (
        f'{EMULATED}c.AzureVMEngineSetLauncher.vm_size = "Huge"',
        "vm_size 'Huge' is not offered",
    ),
    "an image that doesn't fit the size": (
        f'{EMULATED}c.AzureVMEngineSetLauncher.vm_size = "D4ps_v5"',
        "vm_size Standard_D4ps_v5 has Arm64 processors, and the image is for x64",
    ),
    "a plan whose terms are not accepted": (
        f'{EMULATED}c.AzureVMLauncher.image = "resf:rockylinux-x86_64:9-base:latest"',
        "`az vm image terms accept --urn resf:rockylinux-x86_64:9-base:latest`",
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
    "engines' in ipcluster's": (
        f"{EMULATED}c.IPEngine.startup_command = 'x = 1'",
        "has no effect on ipcluster: it is a setting of ipengine. Write it into ",
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


PROFILES_MISTAKES = {
    "old class path": (
        "ipcontroller_config.py",
        'c.IPController.db_class = "IPython.parallel.controller.dictdb.DictDB"\n',
        "ipcontroller can't work as it is configured: ModuleNotFoundError: No module named 'IPyth",
    ),
    "bad value": (
        "ipcontroller_config.py",
        'c.TaskScheduler.hwm = "many"\n',
        "TaskScheduler.hwm must be a whole number, not 'many'",
    ),
    "missing script": (
        "ipengine_config.py",
        'c.IPEngine.startup_script = "/no/such/script.py"\n',
        "The engines are configured to run /no/such/script.py, which is not on this computer",
    ),
    "error in the engines'": (
        "ipengine_config.py",
        "x = 1\nc.IPEngine.startup_command = y\n",
        "ipengine_config.py, line 2: NameError: name 'y' is not defined",
    ),
}


@pytest.mark.parametrize("mistake", PROFILES_MISTAKES)
def test_a_mistake_in_what_the_machines_would_read(profile: Profile, mistake: str) -> None:
    name, text, message = PROFILES_MISTAKES[mistake]
    (profile.folder / name).write_text(text)
    output = _refused(profile)
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert message in line
    assert "Submitting" not in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--location=westeurope"], "For the Azure region set c.AzureVMLauncher.location"),
        (["--ip=*"], "the controller listens at its private address"),
        (["--nosuch=1"], "--nosuch is not an option of ipcluster."),
        (["--vm_size=x"], "did you mean --AzureVMLauncher.vm_size?"),
        (
            ["--HeartMonitor.period=abc"],
            "c.HeartMonitor.period has no effect on ipcluster: it is a",
        ),
        (
            ["--Cluster.delay=inf"],
            "Cluster.delay must be a number of seconds from 0 to 86,400, not",
        ),
        (["-n", "abc"], "Cluster.n must be a whole number, not 'abc'."),
        (["--AzureVMLauncher.priority=spot"], "must be 'Regular' or 'Spot', not 'spot'. Did you"),
        (["--AzureVMLauncher.max_lifetime_h=nan"], "must be a number from 0 to 8,760, not nan."),
        (["--AzureVMEngineSetLauncher.requirements=scipy"], "requirements has no effect: it is o"),
    ],
)
def test_a_mistake_on_the_command_line(profile: Profile, words: list[str], message: str) -> None:
    output = _refused(profile, *words)
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert message in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_start_that_ends_while_the_profile_is_tried_leaves_nothing(
    profile: Profile, tmp_path: Path, number: int
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    profile.environment["TMPDIR"] = str(temporary)
    tried = tmp_path / "tried"
    (profile.folder / "ipcontroller_config.py").write_text(
        f"import time\nopen({str(tried)!r}, 'w').close()\ntime.sleep(60)\n"
    )
    start = profile.popen("ipcluster", "start", f"--profile={profile.name}", "-n", "1")
    wait_for(tried.exists, timeout_s=30)
    assert list(temporary.iterdir())
    start.send_signal(number)
    start.communicate(timeout=30)
    wait_for(lambda: not list(temporary.iterdir()), timeout_s=30)
    profile.assert_nothing_left()


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
