"""Which of several wheels an installer on the machines would take."""

import pytest

from ipcluster_azure.environment.choose import Chooser
from ipcluster_azure.environment.resolve import platform_of
from ipcluster_azure.environment.selection import Target

NEW, OLD = Target("3.11", "x86_64", (2, 39)), Target("3.11", "x86_64", (2, 17))
ARM = Target("3.11", "aarch64", (2, 35))


@pytest.mark.parametrize(
    ("target", "tags", "best"),
    [
        (NEW, ["py3-none-any", "cp311-cp311-manylinux_2_17_x86_64"], 1),
        (NEW, ["cp311-cp311-manylinux2014_x86_64", "cp311-cp311-manylinux_2_39_x86_64"], 1),
        (NEW, ["cp311-cp311-manylinux_2_40_x86_64", "cp311-cp311-manylinux1_x86_64"], 1),
        (NEW, ["cp38-abi3-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_x86_64"], 0),
        (NEW, ["cp38-abi3-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_x86_64"], 1),
        (NEW, ["cp312-abi3-manylinux_2_17_x86_64"], None),
        (NEW, ["cp311-cp311t-manylinux_2_17_x86_64"], None),
        (NEW, ["py2.py3-none-any", "py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64"], 1),
        (NEW, ["cp311-cp311-musllinux_1_2_x86_64", "cp311-cp311-win_amd64"], None),
        (NEW, ["cp311-cp311-manylinux_2_17_aarch64", "cp311-cp311-macosx_11_0_arm64"], None),
        (NEW, ["1-py3-none-any", "2-py3-none-any"], 1),
        (NEW, ["cp311-cp311-linux_x86_64"], 0),
        (OLD, ["cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_17_x86_64"], 1),
        (OLD, ["cp311-cp311-manylinux_2_28_x86_64", "py3-none-any"], 1),
        (ARM, ["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_aarch64"], 1),
        (ARM, ["py3-none-manylinux_2_36_aarch64", "cp37-abi3-manylinux_2_28_aarch64"], 1),
    ],
)
def test_the_best_wheel_is_chosen(target: Target, tags: list[str], best: int | None) -> None:
    wheels = {f"spam-1.0-{text}.whl": index for index, text in enumerate(tags)}
    assert Chooser(target).best({**wheels, "spam-1.0.tar.gz": -1, "damaged.whl": -2}) == best


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        (["py3-none-any"], True),
        (["cp311-cp311-linux_x86_64"], True),
        (["cp311-cp311-win_amd64"], False),
        (["cp311-cp311-win_amd64", "cp311-cp311-manylinux_2_17_x86_64"], True),
        (["cp312-cp312-manylinux_2_17_x86_64"], False),
        ([], False),
        (["nonsense"], False),
    ],
)
def test_tags_of_what_is_installed(tags: list[str], fits: bool) -> None:
    assert Chooser(NEW).fits(tags) is fits


@pytest.mark.parametrize(
    ("glibc", "name"),
    [
        ((2, 39), "x86_64-manylinux_2_39"),
        ((2, 41), "x86_64-manylinux_2_40"),
        ((2, 30), "x86_64-manylinux_2_28"),
        ((2, 17), "x86_64-manylinux_2_17"),
        ((2, 12), "x86_64-manylinux_2_17"),
    ],
)
def test_uv_is_told_of_no_newer_library_than_there_is(glibc: tuple[int, int], name: str) -> None:
    assert platform_of(Target("3.11", "x86_64", glibc)) == name
