"""The scripts that give the engines' machines their environment, run as they are there.

They run as programs, each machine in a folder of its own."""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest

from ipcluster_azure.on_vm.depot.server import TRANSFERS
from ipcluster_azure.on_vm.scripts import fetch
from ipcluster_azure.on_vm.scripts.fetch import ask
from ipcluster_azure.on_vm.scripts.take import main as take_main
from ipcluster_azure.ssh.bundle import ON_VM, programs
from ipcluster_azure.ssh.commands import BARE

from .agents import wait_for

CONTROLLER = "127.77.0.4"
SIZE = 16_000_000  # more than fits between two sockets: a transfer lasts until it is read


def command(folder: Path, script: str, *args: str) -> list[str]:
    for name, content in programs(["vm_depot.py", "vm_fetch.py"]).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
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
    assert (status, event["event"]) == (0, "fetched")
    original = tmp_path / "controller" / "env" / "data"
    assert (machine / "env" / "data").read_bytes() == original.read_bytes()
    assert {path.name for path in machine.iterdir()} == {
        "env",
        "fetched.sha256",
        "ipcluster_azure_depot",
        "vm_depot.py",
        "vm_fetch.py",
    }
    again = run(machine, "vm_fetch.py", f"--url={url}", f"--sha256={sha256}")
    assert again == (0, [{"event": "fetched", "seconds": 0.0}])


def fetched(folder: Path, url: str, sha256: str, *options: str, errors: bool = False) -> str:
    """Have a machine fetch the environment; returns where it came from."""
    folder.mkdir()
    words = [f"--url={url}", f"--sha256={sha256}", *options]
    status, events = run(folder, "vm_fetch.py", *words, errors=errors)
    assert status == 0, events
    assert (folder / "env" / "data").exists()
    assert not (folder / "environment.tar.new").exists()
    return str(events[-1]["source"])


@contextmanager
def busy(url: str) -> Iterator[None]:
    """All turns of a depot are taken, by machines that don't read what they get."""
    turns = [ask(f"{url}/environment.tar")[0] for _ in range(TRANSFERS)]
    assert {turn.status for turn in turns} == {200}
    wait_for(lambda: ask(f"{url}/environment.tar")[0].status != 200)
    yield
    for turn in turns:
        turn.close()


def test_a_crowd_shares_what_it_has(controller: tuple[str, str], tmp_path: Path) -> None:
    """More machines than the controller has turns: they are served by others, all in the end."""
    url, sha256 = controller
    origin = urllib.parse.urlsplit(url).netloc

    def machine(number: int) -> str:
        return fetched(tmp_path / f"machine-{number}", url, sha256, "--pass-on")

    assert machine(0) == origin
    with busy(url), ThreadPoolExecutor(8) as pool:
        sources = list(pool.map(machine, range(1, 9)))
    assert origin not in sources
    assert machine(9) == origin


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


def test_why_there_is_no_bundle_is_one_line(tmp_path: Path) -> None:
    done = take("http://127.0.0.1:9/x", "00", tmp_path / "bundle")
    assert done.returncode == 1
    assert "can't be had: [Errno 111] Connection refused" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_bundle_that_comes_byte_by_byte_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipcluster_azure.on_vm.scripts.take.BUNDLE", (1, 100))
    target = str(tmp_path / "bundle")
    with serving(trickle) as netloc, pytest.raises(SystemExit, match="did not come within 1 s"):
        take_main(*netloc.split(":"), "/x", "00", target)


def test_a_damaged_copy_is_not_used(controller: tuple[str, str], tmp_path: Path) -> None:
    machine = tmp_path / "machine"
    machine.mkdir()
    status, events = run(machine, "vm_fetch.py", f"--url={controller[0]}", "--sha256=00")
    assert status == 1
    assert "damaged" in events[-1]["reason"]
    assert not (machine / "env").exists()


def test_nothing_is_unpacked_before_its_hash_is_known(
    controller: tuple[str, str], tmp_path: Path
) -> None:
    machine, programs = tmp_path / "machine", tmp_path / "bin"
    machine.mkdir()
    programs.mkdir()
    (programs / "tar").write_text(f"#!/bin/sh\ntouch {tmp_path}/unpacked\n")
    (programs / "tar").chmod(0o700)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    status, _ = run(machine, "vm_fetch.py", f"--url={controller[0]}", "--sha256=00", PATH=path)
    assert status == 1
    assert not (tmp_path / "unpacked").exists()


def trickle(connection: socket.socket) -> None:
    with suppress(OSError):
        for _ in range(600):
            connection.sendall(b"HTTP/1.0 200 OK\r\n"[:1])
            time.sleep(0.05)


def endless(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(600):
            connection.sendall(b"x" * 1000)
            time.sleep(0.05)


BAD = {
    "something else": lambda connection: connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nelse"),
    "another host": lambda connection: connection.sendall(
        b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:9/x/environment.tar\r\n\r\n"
    ),
    "no HTTP": lambda connection: connection.sendall(b"\0" * 100_000),
    "nothing": lambda _: None,
    "a slow head": trickle,
    "a slow body": endless,
}


@contextmanager
def serving(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server at 127.0.0.1 that behaves so to each request; yields its host and port."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    behave(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def neighbour(url: str, behave: Callable[[socket.socket], None]) -> Iterator[Event]:
    """A machine that says it had a copy, and behaves so when it is asked for it."""
    asked = Event()

    def answer(connection: socket.socket) -> None:
        asked.set()
        behave(connection)

    with serving(answer) as netloc:
        assert post(url, f"http://{netloc}/x/environment.tar") == 204
        yield asked


def post(url: str, body: str) -> int:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("POST", f"{parts.path}/pass-on", body)
    return connection.getresponse().status


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_neighbour_does_no_harm(
    controller: tuple[str, str], tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its copy is refused, and the controller's is taken."""
    url, sha256 = controller
    monkeypatch.setattr(fetch, "NEIGHBOUR_S", 1.0)
    taken = busy(url)
    with neighbour(url, BAD[kind]) as asked, ThreadPoolExecutor(1) as pool:
        taken.__enter__()
        pool.submit(lambda: (asked.wait(60), taken.__exit__(None, None, None)))
        _, source = fetch.copy(url, sha256, tmp_path / "archive")
        assert asked.is_set()
    assert source == urllib.parse.urlsplit(url).netloc


@pytest.mark.parametrize(
    "place",
    [
        "http://169.254.169.254/metadata/environment.tar",
        "http://169.254.169.254:80/metadata/environment.tar",
        "http://127.0.0.1:80/x/environment.tar",
        "http://8.8.8.8:80/x/environment.tar",
        "http://example.org:80/x/environment.tar",
        "https://10.0.0.5:443/x/environment.tar",
        "http://10.0.0.5:80/x/y/environment.tar",
        "http://10.0.0.5:80/x/environment.tar?a=b",
        "http://user@10.0.0.5:80/x/environment.tar",
        "http://010.0.0.5:80/x/environment.tar",
        "file:///etc/passwd",
        "",
        None,
    ],
)
def test_the_controller_sends_nobody_to_other_hosts(place: str | None) -> None:
    good = "http://10.0.0.5:80/x/environment.tar"
    assert fetch.redirection(good, "http://10.0.0.4:80/x") == good
    assert fetch.redirection(place, "http://10.0.0.4:80/x") == ""


def test_redirections_do_not_outlast_the_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "PATIENCE_S", 1.0)

    def send_elsewhere(connection: socket.socket) -> None:
        place = f"http://{netloc}/y/environment.tar"
        connection.sendall(f"HTTP/1.0 302 Found\r\nLocation: {place}\r\n\r\n".encode())

    with serving(send_elsewhere) as netloc, pytest.raises(fetch.Failed, match="302 Found"):
        fetch.copy(f"http://{netloc}/x", "00", tmp_path / "archive")


def test_another_machines_address_is_not_believed(controller: tuple[str, str]) -> None:
    assert post(controller[0], "http://192.0.2.1:80/x/environment.tar") == 404
    two_lines = "http://127.0.0.1:80/x/environment.tar\r\nSet-Cookie: a/environment.tar"
    assert post(controller[0], two_lines) == 404


def test_a_controller_that_is_gone(tmp_path: Path) -> None:
    status, events = run(tmp_path, "vm_fetch.py", "--url=http://127.0.0.1:9/x", "--sha256=00")
    assert status == 1
    assert "can't copy" in events[-1]["reason"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_died_is_started_again_at_the_same_url(
    controller: tuple[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    url, _ = controller
    folder = tmp_path / "controller"
    wait_for((folder / "depot.pid").exists)
    os.kill(int((folder / "depot.pid").read_text()), number)
    _, (serving,) = run(folder, "vm_depot.py", "serve", f"--address={CONTROLLER}")
    assert serving["url"] == url
    assert get(f"{url}/bundle.tar.gz") == (200, b"scripts")


def test_several_who_find_it_dead_start_one(controller: tuple[str, str], tmp_path: Path) -> None:
    url, _ = controller
    folder = tmp_path / "controller"
    wait_for((folder / "depot.pid").exists)
    os.kill(int((folder / "depot.pid").read_text()), signal.SIGKILL)
    words = command(folder, "vm_depot.py", "serve", f"--address={CONTROLLER}")
    several = [subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE) for _ in range(4)]
    said = {json.loads(process.communicate(timeout=30)[0])["url"] for process in several}
    assert said == {url}
