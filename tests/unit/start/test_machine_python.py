"""What machines a lock is made for, and what is asked to be in it."""

import sys
import types

import pytest

from ipcluster_azure.plan.image import Image
from ipcluster_azure.start.machine_python import (
    expected_target,
    imported_here,
    modules_of_packages,
    selection_of,
    target_of,
)

from ..plans import settings


@pytest.mark.parametrize(
    ("size", "architecture"),
    [
        ("Standard_D4s_v5", "x86_64"),
        ("Standard_D4ps_v5", "aarch64"),
        ("standard_e8pds_v6", "aarch64"),
        ("D2pls_v5", "aarch64"),
        ("Standard_HB120-16rs_v3", "x86_64"),
        ("Standard_NP10s", "x86_64"),
        ("Standard_E4-2ps_v5", "aarch64"),
        ("Standard_DC2eps_v6", "aarch64"),
    ],
)
def test_the_architecture_is_known_by_the_size_before_azure_is_asked(
    size: str, architecture: str
) -> None:
    assert expected_target(settings(vm_size=(size,))).architecture == architecture


def test_what_azure_says_of_the_image_goes_before_the_sizes_name() -> None:
    arm = settings(vm_size=("Standard_D4ps_v5",))
    assert target_of(arm, Image(architecture="x64")).architecture == "x86_64"
    assert target_of(settings(), Image(architecture="Arm64")).architecture == "aarch64"
    assert target_of(arm, Image()) == expected_target(arm)


def test_the_python_is_this_process() -> None:
    target = expected_target(settings())
    assert target.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert target.glibc == (2, 39)


def test_what_is_imported_here_counts_unless_another_interpreter_is_read() -> None:
    assert {"pytest", "ipcluster_azure"} <= selection_of(settings()).imported
    assert selection_of(settings(sync_python="/opt/python")).imported == frozenset()


def test_modules_of_python_itself_are_left_out() -> None:
    names = ["os.path", "sys", "_thread", "numpy.linalg", "numpy", "zmq.sugar"]
    modules = {name: types.ModuleType(name) for name in names}
    assert imported_here(modules) == {"numpy", "zmq"}
    assert modules_of_packages(modules) == ["numpy.linalg", "numpy", "zmq.sugar"]
