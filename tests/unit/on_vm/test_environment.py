"""Machines make their Python environment, by the scripts and with the uv that real ones have."""

import hashlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ipcluster_azure.on_vm.install.fitting import misfit
from tests.package_index import PackageIndex, served
from tests.packaging.clean import find_python

from .machines import PROGRAMS, PYTHON, Machine, files, locked

UNREACHABLE = "http://127.0.0.1:9"  # where nobody listens


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "Größe mit space")


def test_engines_have_what_the_controller_has(
    machine: Machine, index: PackageIndex, tmp_path: Path
) -> None:
    machine.lock(files(index, "one-1.0", "two-1.0"))
    assert "environment" in machine.ok("build")
    sha256 = machine.ok("pack")["packed"]["sha256"]
    archive = machine.dir / "depot" / "environment.tar"
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == sha256
    assert machine.ok("pack")["packed"]["sha256"] == sha256
    engines = Machine(tmp_path / "engines")
    subprocess.run(["/bin/tar", "-xf", archive, "-C", engines.dir], check=True)
    index.asked.clear()
    assert "environment" in engines.ok("install")
    assert index.asked == []
    assert engines.versions() == machine.versions() == {"one": "1.0", "two": "1.0"}


def test_what_clients_have_imported_is_compiled(
    machine: Machine, index: PackageIndex, tmp_path: Path
) -> None:
    """By the machine, once, while its engines start; other modules are not."""
    machine.lock(files(index, "one-1.0", "two-1.0"), imported=["absent.module", "one", "one.none"])
    machine.ok("build")
    machine.ok("pack")
    engines = Machine(tmp_path / "engines")
    archive = machine.dir / "depot" / "environment.tar"
    subprocess.run(["/bin/tar", "-xf", archive, "-C", engines.dir], check=True)
    engines.ok("install")
    give_up_at = time.monotonic() + 30
    while not (made := list(engines.env.glob("lib/*/site-packages/__pycache__/*.pyc"))):
        assert time.monotonic() < give_up_at, "nothing was compiled"
        time.sleep(0.05)
    assert [path.name.partition(".")[0] for path in made] == ["one"]


def test_a_second_time_there_is_nothing_to_do(machine: Machine, index: PackageIndex) -> None:
    machine.lock(files(index, "one-1.0"))
    machine.ok("build")
    index.asked.clear()
    began = time.monotonic()
    assert machine.ok("build")["environment"]["seconds"] < 0.1
    assert time.monotonic() - began < 30
    assert index.asked == []


def test_what_has_changed_is_installed_anew(machine: Machine, index: PackageIndex) -> None:
    """Another version, another file of the same version, one that is not wanted any more."""
    machine.lock(files(index, "one-1.0", "two-1.0", "three-1.0"))
    machine.ok("build")
    kept = machine.env / "kept"
    kept.write_text("the environment is not made anew")
    other = PackageIndex()
    file = other.add("two", "1.0", "three")
    with served(other):
        machine.lock([*files(index, "one-2.0"), locked(other, file)])
        (machine.wheels / file).unlink()  # the launcher would name it otherwise
        machine.ok("build")
    assert machine.versions() == {"one": "2.0", "two": "1.0"}
    assert kept.exists()
    (metadata,) = machine.env.glob("lib/*/site-packages/two-1.0.dist-info/METADATA")
    assert "Requires-Dist: three" in metadata.read_text()


def test_wheels_that_only_the_launcher_has_are_asked_for(
    machine: Machine, index: PackageIndex, tmp_path: Path
) -> None:
    (file,) = (one for one in index.files if one.startswith("two-1.0"))
    machine.lock([*files(index, "one-1.0"), locked(index, file, url=None)])
    events = machine.ok("build")
    assert events["needed"]["files"] == [file]
    assert "environment" not in events
    sent = tmp_path / "sent.tar"
    (tmp_path / file).write_bytes(index.files[file])
    subprocess.run(["/bin/tar", "-cf", sent, "-C", tmp_path, file], check=True)
    assert receive(machine, sent) == (0, "received")
    assert "environment" in machine.ok("build")
    assert machine.versions() == {"one": "1.0", "two": "1.0"}


def receive(machine: Machine, archive: Path) -> tuple[int, str]:
    with open(archive, "rb") as stdin:
        done = subprocess.run(
            [sys.executable, "vm_environment.py", "receive"],
            cwd=machine.dir,
            stdin=stdin,
            capture_output=True,
            check=False,
        )
    event = json.loads(done.stdout)
    return done.returncode, event.get("reason") or event["event"]


@pytest.mark.parametrize("name", ["two-1.0-py3-none-any.whl", "other.whl", "../depot/other.whl"])
def test_only_wheels_of_the_lock_are_received(
    machine: Machine, index: PackageIndex, tmp_path: Path, name: str
) -> None:
    machine.lock(files(index, "two-1.0"))
    content = tmp_path / "content"
    content.write_bytes(b"something else")
    with tarfile.open(tmp_path / "sent.tar", "w") as archive:
        archive.add(content, name)
    status, reason = receive(machine, tmp_path / "sent.tar")
    assert status == 1
    assert name in reason
    assert list(machine.wheels.iterdir()) == list((machine.dir / "depot").iterdir()) == []


def test_an_address_that_cannot_be_reached_is_told(machine: Machine, index: PackageIndex) -> None:
    index_file = next(iter(files(index, "two-1.0")))
    protected = PackageIndex(password="secret")
    private = protected.add("private", "1.0")
    with served(protected):
        machine.lock(
            [
                *files(index, "one-1.0"),
                {**index_file, "url": f"{UNREACHABLE}/{index_file['file']}"},
                locked(protected, private),
            ]
        )
        events = machine.ok("build")
    assert "environment" not in events
    told = events["unreachable"]
    assert told["files"] == [private, index_file["file"]]
    assert f"127.0.0.1:{protected.port} answers 401" in told["why"]
    assert len(protected.asked) == 1  # the answer would be the same
    assert "127.0.0.1:9 can't be reached: [Errno 111] Connection refused" in told["why"]
    assert [path.name for path in machine.wheels.iterdir()] == ["one-1.0-py3-none-any.whl"]


def test_another_file_than_was_chosen_is_not_installed(
    machine: Machine, index: PackageIndex
) -> None:
    (package,) = files(index, "one-1.0")
    machine.lock([{**package, "sha256": "0" * 64}])
    reason = machine.failed("build")
    assert "one-1.0-py3-none-any.whl from 127.0.0.1" in reason
    assert f"and not {'0' * 64}" in reason
    assert list(machine.wheels.iterdir()) == []


def test_wheels_for_other_machines_are_named_before_anything_is_downloaded(
    machine: Machine, index: PackageIndex
) -> None:
    here = platform.machine()
    names = [f"one-1.0-cp311-cp311-manylinux_2_99_{here}.whl", "two-1.0-py3-none-win_amd64.whl"]
    (package,) = files(index, "one-1.0")
    machine.lock([{**package, "file": name} for name in names])
    index.asked.clear()
    reason = machine.failed("build")
    assert f"{names[0]} needs glibc 2.99, {names[1]} is not for {here}" in reason
    assert "can't load 2 of 2 packages" in reason
    assert index.asked == []


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ("py3-none-any", ""),
        ("cp311-cp311-linux_x86_64", ""),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", ""),
        ("cp311-cp311-manylinux_2_31_x86_64", ""),
        ("cp311-cp311-manylinux_2_34_x86_64", "needs glibc 2.34"),
        ("cp311-cp311-manylinux_2_34_x86_64.manylinux1_x86_64", ""),
        ("cp311-cp311-manylinux_2_17_aarch64", "is not for x86_64"),
        ("cp311-cp311-musllinux_1_2_x86_64", "is not for x86_64"),
        ("cp311-cp311-macosx_11_0_arm64", "is not for x86_64"),
    ],
)
def test_which_wheels_a_machine_can_load(tags: str, why: str) -> None:
    assert misfit(f"one-1.0-{tags}.whl", "x86_64", (2, 31)) == why


def test_a_python_that_cannot_be_downloaded(machine: Machine, index: PackageIndex) -> None:
    other = "3.13" if PYTHON != "3.13" else "3.12"
    machine.lock(files(index, "one-1.0"), other)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {"UV_PYTHON_INSTALL_MIRROR": mirror, "UV_PYTHON_PREFERENCE": "only-managed"}
        began = time.monotonic()
        status, events = machine.run("vm_environment.py", "build", **variables)
        took_s = time.monotonic() - began
    assert status == 1
    assert took_s < 30  # it is 13 s where nothing else runs
    assert events[0]["event"] == "progress"
    assert events[0]["doing"] == f"making an environment of Python {other}"
    assert f"Failed to download `{mirror}" in events[-1]["reason"]


class SlowServer(BaseHTTPRequestHandler):
    """Sends a little at once, and goes on when it is told to."""

    content = b""
    go_on = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        half = len(self.content) // 2
        self.wfile.write(self.content[:half])
        self.go_on.wait(60)
        self.wfile.write(self.content[half:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow(index: PackageIndex) -> Iterator[str]:
    SlowServer.content = index.files["one-1.0-py3-none-any.whl"]
    SlowServer.go_on.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowServer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/one.whl"
    SlowServer.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_machine_that_is_ended_in_the_middle_goes_on(
    machine: Machine, index: PackageIndex, slow: str
) -> None:
    (one, two) = files(index, "one-1.0", "two-1.0")
    machine.lock([{**one, "url": slow}, two])
    process = machine.start("vm_environment.py", "build")
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())  # a sign of life while a file is on its way
    assert (line["event"], line["doing"]) == ("progress", "downloading the packages")
    assert line["detail"] == "1 of 2 packages, 0 of 0 MB"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (machine.wheels / f"{one['file']}.part").exists()
    index.asked.clear()
    machine.lock([one, two])
    assert "environment" in machine.ok("build")
    assert [path for path, _ in index.asked] == ["/files/one-1.0-py3-none-any.whl"]
    assert machine.versions() == {"one": "1.0", "two": "1.0"}


def test_an_installation_that_fails_begins_anew(machine: Machine, index: PackageIndex) -> None:
    machine.lock(files(index, "one-1.0"))
    machine.ok("build")
    index.files["bad-1.0-py3-none-any.whl"] = b"no zip"
    machine.lock(files(index, "one-2.0", "bad-1.0"))
    assert "bad" in machine.failed("build")
    assert not (machine.dir / "environment.json").exists()
    machine.lock(files(index, "one-1.0"))
    machine.ok("build")
    assert machine.versions() == {"one": "1.0"}


def test_an_environment_that_was_broken_off_is_made_anew(
    machine: Machine, index: PackageIndex
) -> None:
    machine.lock(files(index, "one-1.0"))
    machine.ok("build")
    (machine.dir / "environment.json").unlink()
    for path in machine.env.glob("lib/*/site-packages/one.py"):
        path.unlink()
    machine.ok("build")
    assert list(machine.env.glob("lib/*/site-packages/one.py"))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="to mount needs root")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A disk of 30 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["/bin/umount", "-l", disk], check=True)


@needs_root
def test_a_disk_that_gets_full_while_packages_come(mounted: Path, index: PackageIndex) -> None:
    machine = Machine(mounted / "machine")
    index.files["large-1.0-py3-none-any.whl"] = bytes(40_000_000)
    machine.lock(files(index, "large-1.0"))
    assert machine.failed("build").startswith(
        "the disk of 0.0 GB is full: set os_disk_gb to more, or leave packages out"
    )
    assert list(machine.wheels.iterdir()) == []


@needs_root
def test_a_disk_that_gets_full_while_packages_are_installed(
    mounted: Path, index: PackageIndex
) -> None:
    machine = Machine(mounted / "machine")
    machine.lock(files(index, "one-1.0"))
    machine.ok("build")
    (machine.dir / "environment.json").unlink()
    filling = mounted / "filling"
    subprocess.run(["/bin/dd", "if=/dev/zero", f"of={filling}", "bs=64k"], capture_output=True)
    reason = machine.failed("build")
    assert "No space left on device" in reason
    assert "GB is full: set os_disk_gb" in reason
    filling.unlink()
    assert "environment" in machine.ok("build")


@needs_root
def test_a_package_cache_that_is_read_only(
    machine: Machine, mounted: Path, index: PackageIndex
) -> None:
    machine.lock(files(index, "one-1.0"))
    subprocess.run(["/bin/mount", "-o", "remount,ro", mounted], check=True)
    reason = machine.failed("build", UV_CACHE_DIR=str(mounted / "cache"))
    assert "Read-only file system" in reason
    assert str(mounted / "cache") in reason


def test_an_image_that_keeps_packages(
    machine: Machine, index: PackageIndex, tmp_path: Path
) -> None:
    """What one machine has downloaded is there for the next; a patch of one does not reach it."""
    cache = {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_LINK_MODE": "copy"}
    machine.lock(files(index, "one-1.0"))
    machine.ok("build", **cache)
    for path in machine.env.glob("lib/*/site-packages/one.py"):
        path.write_text("patched = True\n")
    other = Machine(tmp_path / "other")
    other.lock(files(index, "one-1.0"))
    index.asked.clear()
    other.ok("build", **cache)
    assert index.asked == []
    (module,) = other.env.glob("lib/*/site-packages/one.py")
    assert module.read_text() == "version = '1.0'\n"


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings with which uv downloads a Python: this one, made into an archive as uv's are."""
    archive = tmp_path_factory.mktemp("pythons") / "python.tar.gz"
    prefix, lib = Path(sys.base_prefix), f"lib/python{PYTHON}"

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        left_out = {"site-packages", "test", "__pycache__", "idlelib", "ensurepip", "tkinter"}
        return None if left_out & {*Path(entry.name).parts} else entry

    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        program = Path(sys.executable).resolve()
        tar.add(program, f"python/bin/python{PYTHON}")
        tar.add(prefix / lib, f"python/{lib}", filter=wanted)
        for library in Path(sysconfig.get_config_var("LIBDIR")).glob(f"libpython{PYTHON}*.so*"):
            tar.add(library, f"python/lib/{library.name}")
    version = [*sys.version_info[:3]]
    described = {
        "name": "cpython",
        "arch": {"family": platform.machine(), "variant": None},
        "os": "linux",
        "libc": "gnu",
        **dict(zip(("major", "minor", "patch"), version, strict=True)),
        "prerelease": "",
        "url": archive.as_uri(),
        "sha256": None,
        "variant": None,
    }
    name = f"cpython-{'.'.join(map(str, version))}-linux-{platform.machine()}-gnu"
    listing = archive.with_name("listing.json")
    listing.write_text(json.dumps({name: described}))
    return {
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(listing),
        "UV_PYTHON_PREFERENCE": "only-managed",
        "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR"),
    }


def test_a_python_that_uv_brought_goes_to_the_engines(
    machine: Machine, index: PackageIndex, pythons: dict[str, str], tmp_path: Path
) -> None:
    machine.lock(files(index, "one-1.0"))
    machine.ok("build", **pythons)
    machine.ok("pack")
    engines = Machine(tmp_path / "engines")
    archive = machine.dir / "depot" / "environment.tar"
    subprocess.run(["/bin/tar", "-xf", archive, "-C", engines.dir], check=True)
    machine.dir.rename(tmp_path / "gone")  # it is on another machine
    engines.ok("install", UV_PYTHON_PREFERENCE="only-managed")
    assert (engines.env / "bin" / "python").resolve().is_relative_to(engines.dir / "python")
    assert engines.versions() == {"one": "1.0"}


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_the_images_own_python_may_be_another(
    machine: Machine, index: PackageIndex, version: str
) -> None:
    """It runs the scripts; the environment has the Python that was asked for."""
    machine.python = str(find_python(version))
    machine.lock(files(index, "one-1.0"))
    own = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), PROGRAMS])}
    machine.ok("build", **own)
    machine.ok("pack")
    assert machine.versions() == {"one": "1.0"}
