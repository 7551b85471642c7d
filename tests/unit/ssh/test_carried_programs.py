"""Our programs and packages as job files carry them."""

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.custom_data import UNPACK
from ipcluster_azure.plan.job_parameters import CUSTOM_DATA_LIMIT
from ipcluster_azure.record.environment import Environment
from ipcluster_azure.ssh.archive_process import stripped
from ipcluster_azure.ssh.carried_programs import (
    archives,
    controller_programs,
    engine_programs,
    pins,
)
from ipcluster_azure.ssh.packages import Packages

MINIMAL = Environment("minimal", "", "3.11", "9.2.0")
PYPI = "https://files.pythonhosted.org/packages/aa/bb"


def _unpacked(text: str, folder: Path) -> dict[str, bytes]:
    """What a machine's Python makes of an archive."""
    subprocess.run([sys.executable, "-c", UNPACK], input=text.encode(), cwd=folder, check=True)
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _lock(folder: Path, urls: list[str]) -> Path:
    """A pylock.toml with a wheel at each address."""
    lines = ['lock-version = "1.0"']
    for number, url in enumerate(urls):
        sha256 = hashlib.sha256(f"{number}".encode()).hexdigest()
        name = f"package-number-{number}"
        place = f'url = "{url}"' if url else f'path = "wheels/{name}-1.0-py3-none-any.whl"'
        lines.append(f'[[packages]]\nname = "{name}"\nversion = "1.{number}.0"')
        lines.append(f'wheels = [{{{place}, hashes = {{sha256 = "{sha256}"}}}}]')
    path = folder / "pylock.toml"
    path.write_text("\n".join(lines))
    return path


async def _carry(names: Any, why: str) -> list[Path]:
    raise AssertionError("nothing can be sent")


def test_files_arrive_as_they_were(tmp_path: Path) -> None:
    files = {"a/b.txt": "grüße\n".encode(), "profile/odd.py": b"x = '\xff'\n", "empty": b""}
    nothing, text = archives({}, files)
    assert _unpacked(text, tmp_path) == files
    assert nothing != text


def test_programs_lose_comments_docstrings_and_nothing_else() -> None:
    source = (
        '"""One line.\n\nMore.\n"""\n'
        "class A(NamedTuple):\n"
        '    """What."""\n'
        "    x: int = 1  # why\n"
        "    def f(self, y: str, *z: int) -> str:\n"
        '        """Only this."""\n'
    )
    assert stripped("vm_x.py", source).split("\n") == [
        '"""One line."""',
        "",
        "class A(NamedTuple):",
        "    x: int = 1",
        "",
        "    def f(self, y, *z):",
        "        pass",
    ]
    assert stripped("profile/startup/a.py", source) == source


def test_what_is_carried_can_be_read_by_the_oldest_python_of_an_image(tmp_path: Path) -> None:
    folders = tmp_path / "controller", tmp_path / "engines"
    texts = archives(controller_programs(tmp_path, (), 8, None, MINIMAL), engine_programs())
    for folder, text in zip(folders, texts, strict=True):
        folder.mkdir()
        for name, source in _unpacked(text, folder).items():
            if not name.startswith("profile/"):
                ast.parse(source, feature_version=(3, 8))
    for folder in folders:
        done = subprocess.run(
            [sys.executable, "vm_boot.py", "-"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1
        log = (folder / "log" / "boot.log").read_text()
        assert log.endswith("KeyError: 'kind'\n"), log  # it has come as far as to miss boot.json


def test_two_hundred_pins_fit_beside_the_programs(tmp_path: Path) -> None:
    urls = [f"{PYPI}/{hashlib.sha256(f'u{n}'.encode()).hexdigest()}/p-{n}.whl" for n in range(195)]
    packages = Packages(_lock(tmp_path, urls), (), _carry)
    (text,) = archives(controller_programs(tmp_path, (), 8, packages, MINIMAL))
    assert len(text) < CUSTOM_DATA_LIMIT - 6_000  # of which the rest takes 5,500
    folder = tmp_path / "machine"
    folder.mkdir()
    lock = json.loads(_unpacked(text, folder)["wheels.json"])
    assert lock["packages"][7].keys() == {"name", "version", "sha256"}


def _package(url: str | None) -> bytes:
    one = {"name": "mine", "version": "1", "file": "m.whl", "sha256": "0" * 64, "url": url}
    return json.dumps({"python": "3.11", "packages": [{**one, "size": 0}]}).encode()


def test_other_addresses_are_carried() -> None:
    (one,) = json.loads(pins(_package("https://wheels.example/m.whl")))["packages"]
    assert one["url"] == "https://wheels.example/m.whl"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (None, "packages that were built on this computer: mine. Leave them out"),
        ("https://u:pw@wheels.example/m.whl", "mine have a password or a signature"),
        ("https://wheels.example/m.whl?sig=abc", "mine have a password or a signature"),
    ],
)
def test_packages_that_no_job_file_can_carry_are_named(url: str | None, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        pins(_package(url))
