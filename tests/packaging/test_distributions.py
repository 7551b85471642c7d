"""What is in the wheel and in the source distribution, and what they say of themselves."""

import configparser
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message

import pytest

from .clean import REPOSITORY
from .conftest import SOURCES, Distributions

IN_WHEEL = {
    "ipcluster_azure": "ipcluster_azure",
    "examples": "ipcluster_azure/examples",
    "profile_templates": "ipcluster_azure/profile_templates",
}
DIST_INFO = "ipcluster_azure-{version}.dist-info/"


@pytest.fixture
def wheel(built: Distributions) -> zipfile.ZipFile:
    with zipfile.ZipFile(built.wheel) as file:
        yield file


def _dist_info(wheel: zipfile.ZipFile, name: str) -> bytes:
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(path)


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(_dist_info(wheel, "METADATA"))


def test_nothing_but_the_package_is_installed(wheel: zipfile.ZipFile) -> None:
    tops = {path.split("/")[0] for path in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ipcluster_azure"}
    assert _dist_info(wheel, "top_level.txt").split() == [b"ipcluster_azure"]


def test_every_source_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    expected = {
        f"{IN_WHEEL[folder]}/{path.relative_to(REPOSITORY / folder).as_posix()}"
        for folder in SOURCES
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    present = {path for path in wheel.namelist() if path.startswith("ipcluster_azure/")}
    assert present == expected


def test_package_data(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert "ipcluster_azure/py.typed" in names
    for template in ("azure", "emulator"):
        for file in ("ipcluster_config.py", "ipcontroller_config.py", "ipengine_config.py"):
            assert f"ipcluster_azure/profile_templates/{template}/{file}" in names


def test_the_source_distribution_has_what_a_build_needs(built: Distributions) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.cfg", "pyproject.toml", "LICENSE", "ipcluster_azure/py.typed"} <= names


def test_entry_points(wheel: zipfile.ZipFile) -> None:
    parser = configparser.ConfigParser(delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(_dist_info(wheel, "entry_points.txt").decode())
    controller = "ipcluster_azure.launchers:AzureVMControllerLauncher"
    engines = "ipcluster_azure.launchers:AzureVMEngineSetLauncher"
    assert {section: dict(parser[section]) for section in parser.sections()} == {
        "console_scripts": {"ipcluster-azure": "ipcluster_azure.commands.app:main"},
        "ipyparallel.controller_launchers": {
            "azurevm": controller,
            "AzureVMControllerLauncher": controller,
        },
        "ipyparallel.engine_launchers": {
            "azurevm": engines,
            "AzureVMEngineSetLauncher": engines,
        },
    }


def test_metadata(metadata: Message) -> None:
    assert metadata["Name"] == "ipcluster-azure"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.10"
    assert set(metadata.get_all("Provides-Extra")) == {"emulator", "examples", "numba", "test"}
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_every_dependency_has_a_lower_bound(metadata: Message) -> None:
    requirements = metadata.get_all("Requires-Dist")
    assert [r for r in requirements if ">=" not in r and 'extra == "test"' not in r] == []


def test_what_a_user_installs_has_no_test_tools(metadata: Message) -> None:
    plain = {r.split(">=")[0] for r in metadata.get_all("Requires-Dist") if "extra ==" not in r}
    assert plain.isdisjoint({"pytest", "mypy", "ruff", "uv", "aiohttp", "numpy", "matplotlib"})
