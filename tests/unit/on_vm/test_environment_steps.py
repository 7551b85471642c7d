"""What the machine's script for its Python says of uv, and which uv it takes."""

import os
import platform
import shutil
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.install.steps import Failed, reason
from ipcluster_azure.on_vm.install.uv import find_uv, newest_wheel

TEXTS = {
    "a long line is broken, as by uv 0.9": (
        """Using Python 3.12.3 environment at: env
  \u00d7 No solution found when resolving dependencies:
  \u2570\u2500\u25b6 Because no-such was not found in the package registry and
      you require no-such, we can conclude that your requirements
      are unsatisfiable.
""",
        "No solution found when resolving dependencies: Because no-such was not found in the "
        "package registry and you require no-such, we can conclude that your requirements are "
        "unsatisfiable.",
    ),
    "a wrong password": (
        """error: No solution found when resolving dependencies
  cause: Because ours was not found in the package registry and you require ours.

hint: An index URL (http://127.0.0.1/simple) could not be queried due to a lack of valid credentials
""",
        "No solution found when resolving dependencies: Because ours was not found in the package "
        "registry and you require ours.: An index URL (http://127.0.0.1/simple) could not be "
        "queried due to a lack of valid credentials",
    ),
    "a full disk": (
        """Resolved 1 package in 111ms
warning: Failed to hardlink files; falling back to full copy.
error: Failed to download `scipy==1.17.1`
  cause: I/O operation failed during extraction
  cause: failed to write to file `/cache/scipy`: No space left on device (os error 28)
""",
        "Failed to download `scipy==1.17.1`: failed to write to file `/cache/scipy`: No space left "
        "on device (os error 28)",
    ),
    "no word of uv's": ("Traceback\n  File x\nMemoryError: no\n\n", "MemoryError: no"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_the_reason_is_one_line(text: str, expected: str) -> None:
    assert reason(text) == expected


def test_the_newest_wheel_for_this_machine() -> None:
    machine = platform.machine()
    names = [
        f"uv-0.9.12-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}.whl",
        f"uv-0.13.2-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}.whl",
        f"uv-0.13.9-py3-none-macosx_11_0_{machine}.whl",
        "uv-0.14.0-py3-none-manylinux_2_17_sparc.whl",
        "uv-0.13.9.tar.gz",
    ]
    files: list[dict[str, Any]] = [{"filename": name, "url": name} for name in names]
    assert newest_wheel(files)["filename"] == names[1]
    files[1]["yanked"] = "broken"
    assert newest_wheel(files)["filename"] == names[0]
    with pytest.raises(Failed, match="no uv for Linux"):
        newest_wheel(files[2:])


@pytest.mark.parametrize(("says", "taken"), [("0.9.9", False), ("0.9.10", True), ("0.13.9", True)])
def test_the_images_uv_must_be_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, taken: bool
) -> None:
    program = tmp_path / "image" / "uv"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'uv {says} (abc 2026-01-01)'\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert find_uv(tmp_path) == (program if taken else None)
    (tmp_path / "bin").mkdir()
    own = shutil.copy(program, tmp_path / "bin" / "uv")
    assert find_uv(tmp_path) == (program if taken else Path(own))
