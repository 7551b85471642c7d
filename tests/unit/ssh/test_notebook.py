"""JupyterLab's own environment on the controller's machine, beside that of the engines."""

import asyncio
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from ipcluster_azure.ssh import notebook
from ipcluster_azure.ssh.connection import Connection
from ipcluster_azure.ssh.packages import Packages
from tests.package_index import PackageIndex, served

from ..on_vm.machines import PYTHON, Machine, locked
from .test_packages import Shell, nothing, put_lock, written


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with served(PackageIndex()) as index:
        yield index


async def test_two_at_once_make_one_environment_and_leave_that_of_the_engines(
    index: PackageIndex, tmp_path: Path
) -> None:
    shell, here = Shell(tmp_path / "home"), tmp_path / "wheels"
    here.mkdir()
    public, own = index.add("public", "1.0"), index.add("own", "1.0")
    lock = put_lock(shell, here, [locked(index, public), locked(index, own, url=None)])
    of_engines = shell.machine.dir / "wheels.json"
    of_engines.write_bytes(b"the engines' lock")
    packages = Packages(lock, [written(index, here, own)], nothing)
    connection = cast(Connection, shell)
    installing = (notebook.install(connection, packages, PYTHON, print) for _ in range(2))
    await asyncio.gather(*installing)
    lab = Machine.__new__(Machine)
    lab.env = shell.machine.dir / "notebook" / "env"
    assert lab.versions() == {"own": "1.0", "public": "1.0"}
    assert not shell.machine.env.exists()
    assert of_engines.read_bytes() == b"the engines' lock"


def test_the_examples_are_sent_as_a_package_and_as_notebooks() -> None:
    with tarfile.open(fileobj=io.BytesIO(notebook._upload())) as archive:
        names = set(archive.getnames())
    package = "notebook/examples/ipcluster_azure/examples/monte_carlo_options"
    assert {f"{package}/__init__.py", f"{package}/model.py"} <= names
    assert "notebook/examples/ipcluster_azure/__init__.py" in names
    assert "notebook/examples/monte_carlo_options.ipynb" in names
    assert notebook.SCRIPT in names
