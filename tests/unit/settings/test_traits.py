from typing import Any, get_origin, get_type_hints

import pytest
from traitlets.config import Config

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.settings.traits import AzureVMLauncher, setting_names
from ipcluster_azure.settings.values import Settings

from ..plans import SUBNET_ID, launcher


def test_the_defaults_are_valid() -> None:
    settings = launcher().settings()
    assert settings.location == "eastus"
    assert settings.vm_size == ("Standard_D4s_v5",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("location", "East-US"),
        ("vm_size", ""),
        ("vm_size", []),
        ("admin_username", "root"),
        ("admin_username", "x; rm -rf /"),
        ("image", "ubuntu"),
        ("resource_group", "ends.with.dot."),
        ("resource_group", "a/b"),
        ("ssh_source", "nowhere"),
        ("ssh_source", ["10.0.0.0/8", "10.0.0.1/8"]),
        ("address_prefix", "10.0.0.0/30"),
        ("address_prefix", "::/64"),
        ("subnet_id", "office"),
        ("name_template", "lab"),
        ("name_template", "lab-{random}-{random}"),
        ("name_template", "lab-{random}-{user}"),
        ("name_template", "Lab-{random}"),
        ("name_template", "{random}-lab"),
        ("name_template", "lab-{random}-"),
        ("name_template", f"{'x' * 42}{{profile}}{{random}}"),
        ("public_ip", False),
        ("tenant_id", "my tenant"),
        ("tenant_id", "-x"),
        ("endpoint", "http://management.azure.com"),
        ("endpoint", "emulater"),
        ("sync_paths", ""),
        ("sync_limit_mb", -1),
        ("sync_back", ["/etc/*"]),
        ("sync_back", ["a/../../*"]),
        ("boot_timeout_s", 0),
        ("max_lifetime_h", -1),
        ("idle_timeout_min", -1),
        ("requirements", ["--index-url=https://example.com"]),
        ("requirements", [""]),
        ("tags", {"a/b": "x"}),
        ("tags", {"ipcluster-azure-owner": "me"}),
        ("tags", {"a": "x" * 257}),
    ],
)
def test_an_impossible_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        launcher(**{name: value}).settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("boot_timeout_s", "soon"), ("priority", "Low"), ("engines_per_vm", -1), ("ssh_port", 70000)],
)
def test_a_value_of_the_wrong_type_is_refused_by_settings_not_by_the_constructor(
    name: str, value: Any
) -> None:
    # ipcluster would log what the constructor raises, and hang
    made = launcher(**{name: value})
    with pytest.raises(ConfigurationError, match=name):
        made.settings()


def test_a_misspelt_setting_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match=r"not a setting \(did you mean location\?\)\. V"):
        launcher(locaton="eastus").settings()
    with pytest.raises(
        ConfigurationError, match=r"not a setting \(did you mean min_engines\?\)\. V"
    ):
        launcher(min_engine=1).settings()  # max_engines is close, too


def test_what_is_said_of_a_name_like_none_that_there_is() -> None:
    with pytest.raises(ConfigurationError, match=r"AzureVMLauncher\.qqq is not a setting\. Valid"):
        launcher(qqq=1).settings()
    with pytest.raises(ConfigurationError, match=r"There is no c\.azurevm_q+ to configure\. Sett"):
        AzureVMControllerLauncher(config=Config({"azurevm_" + "q" * 40: {}})).settings()


@pytest.mark.parametrize(
    "section", ["AzureVMControllerLauncher", "AzureVMEngineSetLauncher", "AzureVMLauncher"]
)
def test_each_section_is_looked_through_whichever_others_there_are(section: str) -> None:
    config = Config({section: {"locaton": "eastus"}, "Cluster": {"nosuch": 1}})
    with pytest.raises(ConfigurationError, match=rf"c\.{section}\.locaton"):
        AzureVMControllerLauncher(config=config).settings()


def test_a_setting_that_was_only_looked_at_is_no_mistake() -> None:
    config = Config()
    assert config.AzureVMLauncher.nosuch is not None  # traitlets makes one that has no value
    assert AzureVMControllerLauncher(config=config).settings().location == "eastus"


def test_the_field_of_a_setting_has_the_type_of_its_values() -> None:
    """mypy goes by the field's type, which nothing else compares with the trait's."""
    made = launcher().settings()
    for name, kind in get_type_hints(Settings).items():
        value = getattr(made, name)
        assert isinstance(value, get_origin(kind) or kind), name


def test_a_misspelt_section_is_refused_with_the_right_one() -> None:
    config = Config({"AzureVmLauncher": {"location": "eastus"}})
    with pytest.raises(ConfigurationError, match="did you mean AzureVMLauncher"):
        AzureVMControllerLauncher(config=config).settings()


def test_engine_settings_are_accepted_in_the_shared_section() -> None:
    config = Config({"AzureVMLauncher": {"engines_per_vm": 2, "engine_args": ["--debug"]}})
    assert AzureVMEngineSetLauncher(config=config).settings().engines_per_vm == 2


def test_one_side_can_have_its_own_size() -> None:
    config = Config(
        {
            "AzureVMLauncher": {"vm_size": "Standard_D2s_v5"},
            "AzureVMEngineSetLauncher": {"vm_size": ["Standard_F8s_v2", "Standard_D8s_v5"]},
        }
    )
    assert AzureVMControllerLauncher(config=config).settings().vm_size == ("Standard_D2s_v5",)
    engines = AzureVMEngineSetLauncher(config=config).settings()
    assert engines.vm_size == ("Standard_F8s_v2", "Standard_D8s_v5")


def test_an_existing_subnet_is_accepted_in_any_case() -> None:
    assert launcher(subnet_id=SUBNET_ID.lower()).settings().subnet_id == SUBNET_ID.lower()


@pytest.mark.parametrize("kind", [AzureVMControllerLauncher, AzureVMEngineSetLauncher])
def test_whatever_a_launcher_can_be_told_is_a_known_name(kind: type[AzureVMLauncher]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        launcher(locaton="eastus").settings()
    listed = str(refused.value).partition("Valid ones: ")[2].rstrip(".").split(", ")
    assert set(kind.class_trait_names(config=True)) <= set(listed)


def test_no_setting_hides_an_inherited_trait() -> None:
    # contract 26: `environment` is a Dict that start_engines writes to
    inherited = set(AzureVMLauncher.__mro__[1].class_trait_names())
    assert not inherited & set(setting_names())


def test_every_setting_has_help_that_ends_in_a_full_stop() -> None:
    for name, text in setting_names().items():
        assert text.endswith("."), name
