"""Members that can't be added to request bodies are named, with what to set instead."""

import math
from typing import Any

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.settings.extra_checks import GIVEN

from ..plans import launcher


def nested(path: str, value: Any) -> Any:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name, paths in GIVEN.items() for path in paths]
)
def test_what_the_launcher_gives_can_not_be_replaced(name: str, path: str) -> None:
    for value in ("x", None, {"a": 1}):
        for spelling in (path, path.upper()):
            with pytest.raises(ConfigurationError) as caught:
                launcher(**{name: nested(spelling, value)}).settings()
            assert f"{name} can't give {path}. " in str(caught.value)
    around = path.rpartition(".")[0]
    if around:
        with pytest.raises(ConfigurationError, match=f"{name} can't give "):
            launcher(**{name: nested(around, None)}).settings()


def test_the_setting_that_gives_it_is_named() -> None:
    extra = nested("properties.hardwareProfile.vmSize", "Standard_D2s_v5")
    with pytest.raises(ConfigurationError, match=r"vmSize. Use the setting vm_size\."):
        launcher(extra_vm=extra).settings()
    extra = nested("properties.osProfile.customData", "I2Nsb3Vk")
    with pytest.raises(ConfigurationError, match=r"customData. The launcher relies on it\."):
        launcher(extra_vm=extra).settings()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"properties": {1, 2}}, "must be what JSON can say"),
        ({"properties": math.nan}, "must be what JSON can say"),
        ({"properties": [{1: 2}]}, "names of members must be texts"),
        ({"properties": {"a": 1, "A": 2}}, "has a twice"),
    ],
)
def test_what_no_request_can_hold(extra: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        launcher(extra_nic=extra).settings()


def test_it_is_said_that_members_are_a_dictionary() -> None:
    for name, kind in (("extra_nic", "a dictionary, such as"), ("tags", "texts by name")):
        with pytest.raises(ConfigurationError, match=f"{name} must be {kind}"):
            launcher(**{name: "x"}).settings()


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("extra_vm", nested("properties.storageProfile.osDisk.caching", "ReadOnly")),
        ("extra_vm", nested("properties.osProfile.allowExtensionOperations", False)),
        ("extra_scale_set", nested("properties.virtualMachineProfile.licenseType", "RHEL_BYOS")),
        ("extra_nic", nested("properties.dnsSettings", {"dnsServers": ["10.0.0.9"]})),
        ("extra_nic", {"properties": {}}),
    ],
)
def test_all_else_can_be_added(name: str, extra: Any) -> None:
    assert getattr(launcher(**{name: extra}).settings(), name) == extra


DISK = {"lun": 0, "createOption": "Empty", "diskSizeGB": 64}


@pytest.mark.parametrize(
    ("disk", "refused"),
    [
        (DISK, True),
        (DISK | {"deleteOption": "Detach"}, True),
        (DISK | {"DeleteOption": "delete"}, False),
        ({"lun": 0, "createOption": "Attach", "managedDisk": {"id": "/mine"}}, False),
    ],
)
@pytest.mark.parametrize("name", ["extra_vm", "extra_scale_set"])
def test_no_disk_outlives_its_machine(name: str, disk: Any, refused: bool) -> None:
    path = {"extra_vm": "properties", "extra_scale_set": "properties.virtualMachineProfile"}[name]
    made = launcher(**{name: nested(f"{path}.storageProfile.dataDisks", [disk])})
    if refused:
        with pytest.raises(ConfigurationError, match='a data disk needs "deleteOption"'):
            made.settings()
    else:
        made.settings()


def test_an_identity_is_named_by_its_resource_id() -> None:
    with pytest.raises(ConfigurationError, match=r"engine_identity 'worker' is not the resource"):
        launcher(engine_identity="worker").settings()
