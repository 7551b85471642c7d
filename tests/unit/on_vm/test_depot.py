"""The scripts that give the engines' machines their environment, run as they are there.

They run as programs, each machine in a folder of its own."""

import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import Any

import psutil
import pytest

from ipcluster_azure.on_vm.scripts.depot import TRANSFERS
from ipcluster_azure.on_vm.scripts.fetch import ask, relocate
from ipcluster_azure.ssh.bundle import ON_VM, SCRIPTS
from ipcluster_azure.ssh.commands import BARE

from .agents import wait_for

CONTROLLER = "127.77.0.4"
SIZE = 16_000_000  # more than fits between two sockets: a transfer lasts until it is read
SLOW = 0.7  # seconds that a machine takes before it unpacks, so that many copies overlap
TAR = f'#!/bin/sh\nsleep {SLOW}\nexec /bin/tar "$@"\n'


def command(folder: Path, script: str, *args: str) -> list[str]:
    for name in ("vm_depot.py", "vm_fetch.py"):
        shutil.copy(ON_VM / "scripts" / SCRIPTS[name], folder / name)
    return [sys.executable, script, *args]


def run(
    folder: Path, script: str, *args: str, errors: bool = False, **variables: str
) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and events; `errors`: whether something else may be said, as by tar."""
    done = subprocess.run(
        command(folder, script, *args),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
    )
    assert errors or not done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def end_processes_in(folder: Path) -> None:
    for process in psutil.process_iter():
        try:
            ours = Path(process.cwd()).is_relative_to(folder)
        except (psutil.Error, OSError):
            continue
        if ours:
            process.send_signal(signal.SIGKILL)


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """(the depot's URL, the hash of the environment that it offers)."""
    folder = tmp_path / "controller"
    (folder / "depot").mkdir(parents=True)
    (folder / "env" / "bin").mkdir(parents=True)
    (folder / "env" / "data").write_bytes(os.urandom(SIZE))
    archive = folder / "depot" / "environment.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(folder / "env", "env")
    (folder / "depot" / "bundle.tar.gz").write_bytes(b"scripts")
    status, (serving,) = run(folder, "vm_depot.py", "serve", f"--address={CONTROLLER}")
    assert status == 0
    assert run(folder, "vm_depot.py", "serve", f"--address={CONTROLLER}") == (0, [serving])
    yield serving["url"], hashlib.sha256(archive.read_bytes()).hexdigest()
    end_processes_in(tmp_path)


def get(url: str) -> tuple[int, bytes]:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", parts.path)
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_a_machine_gets_the_environment_once(controller: tuple[str, str], tmp_path: Path) -> None:
    url, sha256 = controller
    machine = tmp_path / "machine"
    machine.mkdir()
    status, (event,) = run(machine, "vm_fetch.py", f"--url={url}", f"--sha256={sha256}")
    assert (status, event["event"]) == (0, "environment")
    original = tmp_path / "controller" / "env" / "data"
    assert (machine / "env" / "data").read_bytes() == original.read_bytes()
    assert {path.name for path in machine.iterdir()} == {
        "env",
        "environment.json",
        "vm_depot.py",
        "vm_fetch.py",
    }
    again = run(machine, "vm_fetch.py", f"--url={url}", f"--sha256={sha256}")
    assert again == (0, [{"event": "environment", "seconds": 0.0}])


def test_a_crowd_shares_what_it_has(controller: tuple[str, str], tmp_path: Path) -> None:
    """More machines than the controller has turns: some are served by others, all in the end."""
    url, sha256 = controller
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "tar").write_text(TAR)
    (slow / "tar").chmod(0o700)

    def machine(number: int) -> str:
        folder = tmp_path / f"machine-{number}"
        folder.mkdir()
        options = [f"--url={url}", f"--sha256={sha256}", "--pass-on"]
        path = f"{slow}{os.pathsep}{os.environ['PATH']}"
        status, events = run(folder, "vm_fetch.py", *options, PATH=path)
        assert status == 0, events
        assert (folder / "env" / "data").exists()
        return str(events[-1]["source"])

    with ThreadPoolExecutor(16) as pool:
        sources = list(pool.map(machine, range(16)))
    origin = urllib.parse.urlsplit(url).netloc
    assert TRANSFERS <= sources.count(origin) < len(sources)


@pytest.mark.parametrize("name", ["environment.tar", "bundle.tar.gz", "depot.json"])
def test_nobody_without_the_path_gets_anything(controller: tuple[str, str], name: str) -> None:
    base = controller[0].rsplit("/", 1)[0]
    for path in (f"{base}/{name}", f"{base}/wrong/{name}", f"{base}//{name}", base):
        assert get(path)[0] == 404


def test_only_what_is_in_the_folder_is_offered(controller: tuple[str, str]) -> None:
    url = controller[0]
    assert get(f"{url}/bundle.tar.gz") == (200, b"scripts")
    for name in ("../depot.json", "..%2Fdepot.json", "/etc/passwd", "", "."):
        assert get(f"{url}/{name}")[0] == 404


def take(url: str, sha256: str, target: Path) -> "subprocess.CompletedProcess[str]":
    """Run the script as engines' machines do."""
    parts = urllib.parse.urlsplit(url)
    words = [parts.hostname, str(parts.port), parts.path, sha256, target]
    script = ON_VM / "scripts" / "take.py"
    command = [sys.executable, BARE, script, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_bundle_is_taken(controller: tuple[str, str], tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    done = take(f"{controller[0]}/bundle.tar.gz", hashlib.sha256(b"scripts").hexdigest(), target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_bytes() == b"scripts"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [("bundle.tar.gz", b"others", "200 OK"), ("missing.tar.gz", b"scripts", "404 Not Found")],
)
def test_another_bundle_is_not_taken(
    controller: tuple[str, str], tmp_path: Path, name: str, content: bytes, status: str
) -> None:
    url, target = controller[0], tmp_path / "bundle"
    done = take(f"{url}/{name}", hashlib.sha256(content).hexdigest(), target)
    assert done.returncode == 1
    assert "its SHA-256 is another" in done.stderr
    assert status in done.stderr
    assert url.rpartition("/")[2] not in done.stderr  # nobody may guess the path, nor read it
    assert not target.exists()


def test_a_damaged_copy_is_not_used(controller: tuple[str, str], tmp_path: Path) -> None:
    machine = tmp_path / "machine"
    machine.mkdir()
    status, events = run(machine, "vm_fetch.py", f"--url={controller[0]}", "--sha256=00")
    assert status == 1
    assert "damaged" in events[-1]["reason"]
    assert not (machine / "env").exists()
    assert not (machine / "incoming").exists()


def test_a_bad_neighbour_does_no_harm(controller: tuple[str, str], tmp_path: Path) -> None:
    """It offers something else: its copy is refused, and the controller's taken."""
    url, sha256 = controller
    netloc = urllib.parse.urlsplit(url).netloc
    fake = tmp_path / "fake"
    (fake / "depot").mkdir(parents=True)
    (fake / "depot" / "environment.tar").write_bytes(b"something else")
    offer = [f"--origin={url}", "--address=127.0.0.1"]
    assert run(fake, "vm_depot.py", "pass-on", *offer) == (0, [])
    turns = [ask(f"{url}/environment.tar")[0] for _ in range(TRANSFERS)]
    assert {turn.status for turn in turns} == {200}
    wait_for(lambda: ask(f"{url}/environment.tar")[0].status == 302)
    machine = tmp_path / "machine"
    machine.mkdir()
    release = Timer(SLOW, lambda: [turn.close() for turn in turns])
    release.start()
    options = [f"--url={url}", f"--sha256={sha256}"]
    status, events = run(machine, "vm_fetch.py", *options, errors=True)
    release.join()
    assert (status, events[-1]["source"]) == (0, netloc)


def test_another_machines_address_is_not_believed(controller: tuple[str, str]) -> None:
    parts = urllib.parse.urlsplit(controller[0])
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("POST", f"{parts.path}/pass-on", "http://192.0.2.1:80/x/environment.tar")
    assert connection.getresponse().status == 404


def test_a_controller_that_is_gone(tmp_path: Path) -> None:
    status, events = run(tmp_path, "vm_fetch.py", "--url=http://127.0.0.1:9/x", "--sha256=00")
    assert status == 1
    assert "can't copy" in events[-1]["reason"]


def test_a_python_that_came_along_is_found_at_its_new_place(tmp_path: Path) -> None:
    binaries = tmp_path / "env" / "bin"
    binaries.mkdir(parents=True)
    own = tmp_path / "python" / "cpython-3.11.9-linux" / "bin"
    own.mkdir(parents=True)
    (own / "python3.11").write_text("")
    elsewhere = "/home/other/.ipcluster-azure/python/cpython-3.11.9-linux/bin"
    config = tmp_path / "env" / "pyvenv.cfg"
    config.write_text(f"home = {elsewhere}\nimplementation = CPython\n")
    os.symlink(f"{elsewhere}/python3.11", binaries / "python")
    relocate(tmp_path)
    assert f"home = {own}\n" in config.read_text()
    assert (binaries / "python").resolve() == own / "python3.11"
