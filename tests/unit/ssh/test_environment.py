"""The machines' environment is that of this process."""

import importlib.metadata

import pytest

from ipcluster_azure.errors import BootstrapFailed
from ipcluster_azure.record.contents import Environment
from ipcluster_azure.ssh import environment
from ipcluster_azure.ssh.environment import check_versions, environment_of

IMAGE = Environment("image", "python3", [], "3.11", "9.2.0")


def test_the_environment_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"ipyparallel": "9.2.0", "numpy": "2.4.6"}
    monkeypatch.setattr(environment, "_version", versions.__getitem__)
    made = environment_of("minimal", "python3", ["scipy"])
    assert made.requirements == ["ipyparallel==9.2.0", "numpy==2.4.6", "scipy"]


def test_without_numpy_here_any_version_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "numpy":
            raise importlib.metadata.PackageNotFoundError
        return "9.2.0"

    monkeypatch.setattr(environment, "_version", version)
    assert environment_of("minimal", "python3", []).requirements == ["ipyparallel==9.2.0", "numpy"]


@pytest.mark.parametrize(
    ("python", "ipyparallel", "fits"),
    [("3.11.2", "9.2.0", True), ("3.12.2", "9.2.0", False), ("3.11.2", "9.1.0", False)],
)
def test_versions_must_match(python: str, ipyparallel: str, fits: bool) -> None:
    ready = {"python": python, "ipyparallel": ipyparallel}
    if fits:
        check_versions(ready, IMAGE, "vm")
    else:
        with pytest.raises(BootstrapFailed, match="functions can't travel"):
            check_versions(ready, IMAGE, "vm")
