"""Each setting in each section: it works, or it is refused with what to set instead.

ROWS has one row for each trait that one of the launchers can be configured with, ipyparallel's
included; without a row for a new one the first test fails. Settings that are not written down here
are taken for settings of the whole cluster, with the value of test_where_settings_arrive.py.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipyparallel.cluster.launcher import ControllerLauncher, EngineLauncher
from traitlets.config import Config

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.settings.values import TRAITS

from ..plans import SUBNET_ID
from .test_where_settings_arrive import IDENTITY_ID
from .test_where_settings_arrive import ROWS as ARRIVING

CONTROLLER, ENGINES = KINDS = (AzureVMControllerLauncher, AzureVMEngineSetLauncher)
WHOLE_CLUSTER = "it is one for the whole cluster. Set c.AzureVMLauncher"
ABOUT_ENGINES = "it is about engines. Set c.AzureVMLauncher"
ABOUT_CONTROLLER = "it is about the controller. Set c.AzureVMLauncher"
WHOLE_LOGS = "logs are kept as a whole, in the profile's log folder"
NO_PROCESS = "a stop waits for no process"
Seen = Callable[[Any], Any]  # what of a launcher shows that the value has arrived


def _setting(name: str) -> Seen:
    return lambda launcher: getattr(launcher.settings(), name)


def _process(args: str) -> Seen:
    """What the machines' processes are started with."""
    return lambda launcher: list(launcher._process(getattr(launcher, args)).args)


def _command(launcher: Any) -> list[str]:
    return list(launcher.process().cmd)


def _variables(launcher: Any) -> dict[str, str]:
    return dict(launcher._process([]).variables)


def _waits_s(launcher: Any) -> float:
    """How long get_connection_info waits for a controller that does not come."""

    async def never(context: Any) -> None:
        await asyncio.Event().wait()

    async def measure() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(asyncio.TimeoutError):
            await launcher.get_connection_info()
        return round(loop.time() - began, 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipcluster_azure.start.start_controller.get_ready", never)
        return asyncio.run(measure())


# name: a value, and for either launcher what is seen of it, or why it is refused
ROWS: dict[str, tuple[Any, Seen | str, Seen | str]] = {
    "subscription_id": ("s", _setting("subscription_id"), WHOLE_CLUSTER),
    "location": ("westeurope", _setting("location"), WHOLE_CLUSTER),
    "resource_group": ("team", _setting("resource_group"), WHOLE_CLUSTER),
    "tags": ({"a": "b"}, _setting("tags"), WHOLE_CLUSTER),
    "vm_size": (("Standard_F8s_v2",), _setting("vm_size"), _setting("vm_size")),
    "zones": (("2",), _setting("zones"), _setting("zones")),
    "image": ("a:b:c:d", _setting("image"), _setting("image")),
    "boot_diagnostics": (False, _setting("boot_diagnostics"), WHOLE_CLUSTER),
    "os_disk_gb": (77, _setting("os_disk_gb"), _setting("os_disk_gb")),
    "admin_username": ("ada", _setting("admin_username"), WHOLE_CLUSTER),
    "ssh_source": (("10.0.0.0/8",), _setting("ssh_source"), WHOLE_CLUSTER),
    "public_ip_service": (
        "https://ip.example",
        _setting("public_ip_service"),
        WHOLE_CLUSTER,
    ),
    "ssh_port": (2222, _setting("ssh_port"), WHOLE_CLUSTER),
    "address_prefix": ("10.7.0.0/24", _setting("address_prefix"), WHOLE_CLUSTER),
    "subnet_id": (SUBNET_ID, _setting("subnet_id"), WHOLE_CLUSTER),
    "public_ip": (True, _setting("public_ip"), WHOLE_CLUSTER),
    "priority": ("Spot", ABOUT_ENGINES, _setting("priority")),
    "python_environment": ("image", _setting("python_environment"), WHOLE_CLUSTER),
    "image_python": ("python3", _setting("image_python"), WHOLE_CLUSTER),
    "requirements": (("scipy",), _setting("requirements"), WHOLE_CLUSTER),
    "sync_paths": (("data.csv",), _setting("sync_paths"), WHOLE_CLUSTER),
    "sync_limit_mb": (7.0, _setting("sync_limit_mb"), WHOLE_CLUSTER),
    "sync_back": (("r/*",), _setting("sync_back"), WHOLE_CLUSTER),
    "boot_timeout_s": (70.0, _setting("boot_timeout_s"), _setting("boot_timeout_s")),
    "max_lifetime_h": (7.0, _setting("max_lifetime_h"), WHOLE_CLUSTER),
    "idle_timeout_min": (7.0, _setting("idle_timeout_min"), WHOLE_CLUSTER),
    "max_cost": (7.0, _setting("max_cost"), WHOLE_CLUSTER),
    "self_deletion": ("off", _setting("self_deletion"), WHOLE_CLUSTER),
    "max_engines": (7, ABOUT_ENGINES, _setting("max_engines")),
    "min_engines": (7, ABOUT_ENGINES, _setting("min_engines")),
    "ready_engines": (7, ABOUT_ENGINES, _setting("ready_engines")),
    "engines_per_vm": (7, ABOUT_ENGINES, _setting("engines_per_vm")),
    "engine_identity": (IDENTITY_ID, ABOUT_ENGINES, _setting("engine_identity")),
    "extra_scale_set": ({"properties": {}}, ABOUT_ENGINES, _setting("extra_scale_set")),
    "extra_nic": ({"properties": {}}, _setting("extra_nic"), _setting("extra_nic")),
    "endpoint": ("emulator", _setting("endpoint"), WHOLE_CLUSTER),
    "audience": ("https://a.example", _setting("audience"), WHOLE_CLUSTER),
    "job_file_name": (
        "job.json",
        lambda launcher: Path(launcher.job_file).name,
        lambda launcher: Path(launcher.job_file).name,
    ),
    "environment": ({"A": "b"}, _variables, _variables),
    "controller_args": (["--debug"], _process("controller_args"), ABOUT_CONTROLLER),
    "engine_args": (["--debug"], ABOUT_ENGINES, _process("engine_args")),
    "connection_info_timeout": (0.5, _waits_s, ABOUT_CONTROLLER),
    "controller_cmd": (["nice", "ipcontroller"], _command, ABOUT_CONTROLLER),
    "engine_cmd": (["nice", "ipengine"], ABOUT_ENGINES, _command),
    "output_limit": (7, WHOLE_LOGS, WHOLE_LOGS),
    "stop_timeout": (7, NO_PROCESS, NO_PROCESS),
}
for name, row in ARRIVING.items():
    value = tuple(row.value) if isinstance(row.value, list) else row.value
    ROWS.setdefault(name, (value, _setting(name), WHOLE_CLUSTER))


def _configured(kind: Any, section: str, name: str, value: Any) -> Any:
    written = list(value) if isinstance(value, tuple) else value
    return kind(config=Config({section: {name: written}}))


def test_every_trait_has_a_row() -> None:
    ipyparallels = (ControllerLauncher, EngineLauncher)
    names = {name for kind in (*KINDS, *ipyparallels) for name in kind.class_traits(config=True)}
    assert names == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_works_or_is_refused_in_a_launchers_own_section(kind: Any, name: str) -> None:
    value, *expected = ROWS[name]
    outcome = expected[KINDS.index(kind)]
    made = _configured(kind, kind.__name__, name, value)
    if callable(outcome):
        made.settings()
        assert outcome(made) == value
        return
    with pytest.raises(ConfigurationError) as refused:
        made.settings()
    assert outcome in str(refused.value)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", TRAITS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_can_stand_in_the_shared_section(kind: Any, name: str) -> None:
    value = ROWS[name][0]
    made = _configured(kind, "AzureVMLauncher", name, value)
    assert getattr(made.settings(), name) == value


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_launchers_section_is_looked_through_as_well(kind: Any) -> None:
    """The controller's launcher is the first: the engines' would find it after the machines."""
    with pytest.raises(ConfigurationError, match=r"c\.AzureVMEngineSetLauncher\.requirements has"):
        _configured(kind, "AzureVMEngineSetLauncher", "requirements", ["scipy"]).settings()


@pytest.mark.parametrize(
    ("kind", "section", "name"),
    [
        (CONTROLLER, "BaseLauncher", "stop_timeout"),
        (ENGINES, "BaseLauncher", "output_limit"),
    ],
)
def test_what_ipyparallels_own_sections_say_counts_too(kind: Any, section: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} has no effect on Azure"):
        _configured(kind, section, name, ROWS[name][0]).settings()


def test_sections_within_others() -> None:
    inner = Config({"AzureVMEngineSetLauncher": {"requirements": ["scipy"]}})
    with pytest.raises(ConfigurationError, match=r"c\.Cluster\.AzureVMEngineSetLauncher\.requ"):
        CONTROLLER(config=Config({"Cluster": inner})).settings()
    inner = Config({"AzureVMLauncher": {"locaton": "eastus"}})
    with pytest.raises(ConfigurationError, match=r"c\.Cluster\.AzureVMLauncher\.locaton is not a"):
        CONTROLLER(config=Config({"Cluster": inner})).settings()


def test_a_list_that_is_only_appended_to_is_set_too() -> None:
    config = Config()
    config.AzureVMEngineSetLauncher.requirements.append("scipy")
    with pytest.raises(ConfigurationError, match="requirements has no effect"):
        ENGINES(config=config).settings()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (ENGINES, {"requirements": ["scipy"]}),
        (CONTROLLER, {"priority": "Spot"}),
        (CONTROLLER, {"output_limit": 7}),
    ],
)
def test_what_a_program_gives_a_launcher_is_no_exception(kind: Any, given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(ConfigurationError, match=f"{name} has no effect"):
        kind(**given).settings()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["output_limit", "stop_timeout"])
def test_what_has_no_effect_is_not_in_a_generated_configuration(kind: Any, name: str) -> None:
    assert name not in kind.class_traits(config=True)
    assert f".{name}" not in kind.class_config_section()


@pytest.mark.parametrize("words", [[], ["ipengine", "-x"], ["python"], ["a\nb", "ipengine"]])
def test_what_does_not_run_ipengine_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="engine_cmd must end in 'ipengine'"):
        ENGINES(engine_cmd=words).settings()


def test_waiting_for_the_controller_has_no_limit_unless_one_is_set() -> None:
    assert CONTROLLER().connection_info_timeout == -1
