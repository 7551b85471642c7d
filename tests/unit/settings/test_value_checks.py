"""The last value that is accepted, and the first that is not, with what is said of it."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from traitlets.config import Config

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.launchers import AzureVMEngineSetLauncher
from ipcluster_azure.naming import MAX_USER_TAGS
from ipcluster_azure.settings.value_checks import wide_sources
from ipcluster_azure.settings.values import Settings

from ..plans import SUBNET_ID, launcher

OWN_IMAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i"
GALLERY_IMAGE = OWN_IMAGE.replace("/images/", "/galleries/l/images/")
EDGES: list[tuple[str, Any, Any, str]] = [
    # setting, accepted, refused, said
    ("subscription_id", "0a-b_C", "-a", "not a subscription's id"),
    ("location", "westus2", "westus-2", "not a region's name"),
    ("resource_group", "x" * 90, "x" * 91, "not a legal name"),
    ("resource_group", "a.(b)-c_d", "a.", "not a legal name"),
    ("vm_size", ["a", "b"], ["a", ""], "at least one VM size"),
    ("zones", ["1", "9"], ["1", "0"], "'0' is not a zone"),
    ("zones", [], ["10"], "'10' is not a zone"),
    ("admin_username", "x" * 32, "x" * 33, "not a user name that Azure accepts"),
    ("admin_username", "_a-1", "1a", "not a user name that Azure accepts"),
    ("admin_username", "azure", "admin", "'admin' is not a user name"),
    ("image", "a:b:c:d", "a:b:c", "neither publisher:offer:sku:version nor"),
    ("image", OWN_IMAGE, "a:b:c:d:e", "neither publisher:offer:sku:version nor"),
    ("image", GALLERY_IMAGE, "/subscriptions/s/x", "nor the id of an image"),
    ("image", f"{GALLERY_IMAGE}/versions/1.2.0", f"{GALLERY_IMAGE}/versions", "nor the id of"),
    ("image", "/CommunityGalleries/l-1/Images/i", "/CommunityGalleries/l-1", "nor the id of"),
    ("image", "/SharedGalleries/l/Images/i/Versions/latest", "/SharedGalleries//Images/i", "nor"),
    ("image", "a:b:c:d", f"{OWN_IMAGE.replace('images', 'snapshots')}", "nor the id of an image"),
    ("image", "a:b:c:d", "a:b/../up:c:d", "nor the id of an image"),
    ("image", "a:b:c:d", "a:b:c:d?x=1", "nor the id of an image"),
    ("location", "eastus", "east-us", "not a region's name"),
    ("address_prefix", "10.0.0.0/25", "10.0.0.0/26", "must be between /8 and /25"),
    ("address_prefix", "32.0.0.0/8", "32.0.0.0/7", "32.0.0.0/7 must be between /8 and /25"),
    ("ssh_source", ["auto", "10.0.0.0/8"], ["auto", "10.0.0.1/8"], "10.0.0.1/8' is not an IPv4"),
    ("subnet_id", SUBNET_ID, SUBNET_ID + "/x", "not a subnet's resource id"),
    ("requirements", ["scipy>=1"], ["scipy", " "], "' ' is not a package requirement"),
    ("tags", {"n" * 512: "v" * 256}, {"n" * 513: ""}, "not a tag name that Azure accepts"),
    ("tags", {"n": ""}, {"": "v"}, "'' is not a tag name that Azure accepts"),
    ("tags", {"n": "v" * 256}, {"n": "v" * 257}, "the value of 'n' is over 256 long"),
    ("tags", {"my-ipcluster-azure": ""}, {"IPCluster-Azure-x": ""}, "are reserved"),
    (
        "tags",
        {f"{n}": "" for n in range(MAX_USER_TAGS)},
        {f"{n}": "" for n in range(MAX_USER_TAGS + 1)},
        f"at most {MAX_USER_TAGS} can be set, not {MAX_USER_TAGS + 1}",
    ),
    ("max_lifetime_h", 0.1, 1e-9, "at least 0.083, not 1e-09: .* before it has computed anything"),
    ("max_lifetime_h", 0, 5e-324, "at least 0.083"),
    ("idle_timeout_min", 1, 0.999, "at least 1, not 0.999: .* between two tasks; 0 sets no limit"),
    ("boot_timeout_s", 30, 29.9, "at least 30, not 29.9: no machine of Azure's"),
    ("endpoint", "https://x.example", "ftp://x.example", "must be 'emulator' or begin with https"),
    ("endpoint", "emulator", "emulators", "must be 'emulator' or begin with https"),
]


@pytest.mark.parametrize(("name", "accepted", "refused", "said"), EDGES)
def test_the_edge_of_what_is_accepted(name: str, accepted: Any, refused: Any, said: str) -> None:
    value = getattr(launcher(**{name: accepted}).settings(), name)
    assert value == (tuple(accepted) if isinstance(accepted, list) else accepted)
    with pytest.raises(ConfigurationError, match=said) as caught:
        launcher(**{name: refused}).settings()
    assert name in str(caught.value)


@pytest.mark.parametrize("tag", ["a<b", "a>b", "a%b", "a&b", "a\\b", "a?b", "a/b"])
def test_marks_that_azure_has_in_no_tags_name(tag: str) -> None:
    with pytest.raises(ConfigurationError, match="not a tag name"):
        launcher(tags={tag: "x"}).settings()


def test_without_a_public_address_a_subnet_of_ones_own_is_needed() -> None:
    assert not launcher(public_ip=False, subnet_id=SUBNET_ID).settings().public_ip
    with pytest.raises(ConfigurationError, match="public_ip = False needs subnet_id"):
        launcher(public_ip=False).settings()


def test_a_network_is_wide_if_no_network_of_ones_own_can_be() -> None:
    assert wide_sources(["10.0.0.0/8", "auto", "32.0.0.0/7"]) == ["32.0.0.0/7"]


@pytest.mark.parametrize(
    ("together", "said"),
    [
        ({"address_prefix": "10.0.0.0/16", "subnet_id": SUBNET_ID}, "address_prefix has no effect"),
        (
            {"python_environment": "image", "requirements": ["scipy"]},
            "requirements have no effect with python_environment = 'image'",
        ),
        ({"image_python": "/opt/python"}, "image_python has no effect without"),
        (
            {"python_environment": "image", "python_lock": "uv.lock"},
            "python_lock has no effect with python_environment = 'image'",
        ),
        (
            {"python_environment": "minimal", "python_lock": "uv.lock"},
            "python_lock has no effect with python_environment = 'minimal'",
        ),
        (
            {"python_environment": "minimal", "sync_python": "python3.12"},
            "sync_python has no effect with python_environment = 'minimal'",
        ),
        (
            {"python_environment": "image", "sync_exclude": ["torch"]},
            "sync_exclude has no effect with python_environment = 'image'",
        ),
        (
            {"python_lock": "uv.lock", "sync_accept": ["torch==2.0"]},
            "sync_accept has no effect with python_lock",
        ),
        ({"python_lock": "uv.lock", "sync_strict": True}, "sync_strict has no effect"),
        (
            {"self_deletion": "required", "max_lifetime_h": 0, "idle_timeout_min": 0},
            "self_deletion = 'required' has no effect without max_lifetime_h, idle_timeout_min or ",
        ),
    ],
)
def test_what_has_no_effect_together_is_refused(together: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        launcher(**together).settings()
    # the engines' launcher may not see all that the controller's is told
    AzureVMEngineSetLauncher(config=Config({"AzureVMLauncher": together})).settings()
    for name in list(together)[-1:]:
        launcher(**{key: value for key, value in together.items() if key != name}).settings()


def test_one_text_stands_for_a_list_of_one() -> None:
    made = launcher(vm_size="Standard_D2s_v5", ssh_source="10.0.0.0/8").settings()
    assert (made.vm_size, made.ssh_source) == (("Standard_D2s_v5",), ("10.0.0.0/8",))


def test_an_endpoint_is_the_same_with_a_slash_at_its_end() -> None:
    assert launcher(endpoint="https://x.example/").settings().endpoint == "https://x.example"
    assert launcher(endpoint="emulator/").settings().uses_emulator
    assert not launcher().settings().uses_emulator


def test_settings_do_not_change_and_are_made_by_name_alone() -> None:
    made = launcher().settings()
    with pytest.raises(FrozenInstanceError):
        made.location = "westeurope"  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        Settings(*vars(made).values())


@pytest.mark.parametrize("text", ["East US 2", "EastUS2", "(US) East US 2", " eastus2"])
def test_a_region_is_known_by_the_names_that_azure_shows(text: str) -> None:
    assert launcher(location=text).settings().location == "eastus2"
