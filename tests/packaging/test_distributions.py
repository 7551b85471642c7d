"""What is in the wheel and in the source distribution, and what they say of themselves."""

import configparser
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from ..project_files import project_files
from .conftest import Distributions

# folder of the project -> where it lies in the wheel
IN_WHEEL = {
    "azure_emulator": "azure_emulator",
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


def test_nothing_but_the_two_packages_is_installed(wheel: zipfile.ZipFile) -> None:
    tops = {path.split("/")[0] for path in wheel.namelist()}
    packages = {"azure_emulator", "ipcluster_azure"}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages
    assert set(_dist_info(wheel, "top_level.txt").decode().split()) == packages


def test_every_source_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    expected = {
        str(Path(IN_WHEEL[path.parts[0]], *path.parts[1:]))
        for path in project_files()
        if path.parts[0] in IN_WHEEL
    }
    assert {path for path in wheel.namelist() if ".dist-info/" not in path} == expected


def test_package_data(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert "ipcluster_azure/py.typed" in names
    for template in ("azure", "emulator"):
        for file in ("ipcluster_config.py", "ipcontroller_config.py", "ipengine_config.py"):
            assert f"ipcluster_azure/profile_templates/{template}/{file}" in names


def test_the_source_distribution_is_the_whole_project(built: Distributions) -> None:
    """Its tests, their golden files and the docs that they read, too."""
    with tarfile.open(built.sdist) as archive:
        names = {Path(*Path(item.name).parts[1:]) for item in archive if item.isfile()}
    made = {name for name in names if name.name == "PKG-INFO" or "egg-info" in name.parts[0]}
    assert sorted(names - made) == project_files()


def test_entry_points(wheel: zipfile.ZipFile) -> None:
    parser = configparser.ConfigParser(delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(_dist_info(wheel, "entry_points.txt").decode())
    controller = "ipcluster_azure.launchers:AzureVMControllerLauncher"
    engines = "ipcluster_azure.launchers:AzureVMEngineSetLauncher"
    assert {section: dict(parser[section]) for section in parser.sections()} == {
        "console_scripts": {"ipcluster-azure": "ipcluster_azure.commands.entry:main"},
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
    assert set(metadata.get_all("Provides-Extra")) == {
        "docs",
        "emulator",
        "examples",
        "numba",
        "test",
    }
    assert metadata["Description-Content-Type"] == "text/markdown"


def _addresses(metadata: Message) -> dict[str, str]:
    return dict(item.split(", ") for item in metadata.get_all("Project-URL"))


def test_the_addresses_are_those_of_one_repository(metadata: Message) -> None:
    urls = _addresses(metadata)
    assert set(urls) == {"Homepage", "Source", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(urls["Source"]) for url in urls.values())


def test_links_of_the_long_description_work_outside_the_repository(metadata: Message) -> None:
    blocks = MarkdownIt().parse(str(metadata.get_payload()))
    tokens = [token for block in blocks for token in block.children or []]
    links = [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]
    links += [str(token.attrs["src"]) for token in tokens if token.type == "image"]
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    source = _addresses(metadata)["Source"]
    files = [link.removeprefix(f"{source}/blob/HEAD/") for link in links if source in link]
    assert len(files) > 10
    assert [name for name in files if Path(name.partition("#")[0]) not in project_files()] == []


def test_every_dependency_has_a_lower_bound(metadata: Message) -> None:
    requirements = metadata.get_all("Requires-Dist")
    assert [r for r in requirements if ">=" not in r and 'extra == "test"' not in r] == []


def test_what_a_user_installs_has_what_the_launchers_are_built_on_and_no_test_tools(
    metadata: Message,
) -> None:
    plain = {r.split(">=")[0] for r in metadata.get_all("Requires-Dist") if "extra ==" not in r}
    built_on = "ipyparallel", "traitlets", "azure-mgmt-compute", "azure-identity", "asyncssh"
    assert plain.issuperset({*built_on, "numpy"})
    assert plain.isdisjoint({"pytest", "mypy", "ruff", "aiohttp", "matplotlib"})
