"""The machines' environment is that of this process."""

import sys
from dataclasses import replace

import pytest

from ipcluster_azure.errors import BootstrapFailed
from ipcluster_azure.record.environment import Environment
from ipcluster_azure.ssh import environment
from ipcluster_azure.ssh.environment import check_versions, environment_of

IMAGE = Environment("image", "python3", "3.11", "9.2.0")


HERE = {"ipyparallel": "9.2.0", "numpy": "2.4.6", "scipy": "1.17.0", "dill": "0.4.0"}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The packages of this process, which a test may change."""
    versions = {**HERE}
    monkeypatch.setattr(environment, "_version", lambda package: versions.get(package, ""))
    return versions


def test_the_environment_is_the_clients(here: dict[str, str]) -> None:
    made = environment_of("image", "/opt/python")
    assert (made.kind, made.image_python) == ("image", "/opt/python")
    assert made.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert made.ipyparallel == "9.2.0"


@pytest.mark.parametrize(
    ("python", "ipyparallel", "fits"),
    [
        ("3.11.2", "9.2.0", True),
        ("3.11.2", "9.2.5", True),
        ("3.12.2", "9.2.0", False),
        ("3.11.2", "9.1.0", False),
        ("3.11.2", None, False),
    ],
)
def test_versions_must_match(python: str, ipyparallel: str | None, fits: bool) -> None:
    ready = {"python": python, "ipyparallel": ipyparallel}
    if fits:
        assert check_versions(ready, IMAGE, "vm") == []
    else:
        with pytest.raises(BootstrapFailed, match="functions can't travel"):
            check_versions(ready, IMAGE, "vm")


READY = {"python": "3.11.2", "ipyparallel": "9.2.0"}


def test_what_a_built_environment_has_otherwise_is_named() -> None:
    built = replace(IMAGE, kind="sync")
    differences = [
        {"name": "numpy", "locked": "2.4.6", "found": "2.4.5"},
        {"name": "scipy", "locked": "1.17.0", "found": None},
        {"name": "pip", "locked": None, "found": "26.0"},
    ]
    assert check_versions({**READY, "differences": []}, built, "vm") == []
    with pytest.raises(BootstrapFailed) as raised:
        check_versions({**READY, "differences": differences}, built, "vm7")
    assert "The Python environment of vm7 is not what was sent to it: numpy (2.4.5 instead of " in (
        str(raised.value)
    )
    assert "2.4.6), scipy (missing instead of 1.17.0), pip (26.0 instead of none)." in (
        str(raised.value)
    )


def test_of_many_differences_some_are_named() -> None:
    differences = [{"name": f"p{n}", "locked": "1", "found": "2"} for n in range(25)]
    with pytest.raises(BootstrapFailed, match=r"p9 \(2 instead of 1\), and 15 more\."):
        check_versions({**READY, "differences": differences}, replace(IMAGE, kind="sync"), "vm")


def test_an_image_with_other_packages_is_doubted(here: dict[str, str]) -> None:
    image = {"ipyparallel": "9.2.0", "numpy": "1.26.4", "scipy": "1.11.0", "dill": "0.4.0"}
    (warning,) = check_versions({**READY, "packages": image}, IMAGE, "vm")
    assert warning == (
        "The image has numpy 1.26.4, this computer 2.4.6: arrays that numpy 2 has pickled can't be "
        "read by numpy 1 before 1.26"
    )


def test_what_the_image_does_not_have_matters_if_it_is_used(here: dict[str, str]) -> None:
    import numpy  # noqa: F401 - what is imported may be sent

    assert "dill" not in sys.modules
    (warning,) = check_versions({**READY, "packages": {"scipy": "1.17.0"}}, IMAGE, "vm")
    assert warning == "The image has no numpy, this computer 2.4.6: what needs it fails there"
