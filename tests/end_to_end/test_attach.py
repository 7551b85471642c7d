"""The computer gets another public address, or is started anew: the way in is opened again.

What the computer's way to the internet does is played by a relay with a source address of its own:
the emulator asks the security group about it, as Azure does about a public address.
"""

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan.resource_types import NETWORK_API, NSG
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi

from ..complete import variant
from .conftest import Profile, wait_for
from .test_caretaker import link_log, record_of
from .test_login import POLL_S, IdentityServer, cloud, identity

__all__ = ("cloud", "identity")  # fixtures
AT_HOME, ELSEWHERE, OFFICE = "127.0.0.1", "127.0.0.9", "127.99.0.0/16"
NAT = "127.0.0.77"  # where the relay listens
FOUND_S = 40.0


class AddressServer(ThreadingHTTPServer):
    """Says over HTTPS which address this computer has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Address)
        self.address = AT_HOME
        authority = trustme.CA()
        self.ca_file = folder / "address-ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)


class _Address(BaseHTTPRequestHandler):
    server: AddressServer

    def do_GET(self) -> None:
        body = f"{self.server.address}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Nat:
    """Passes connections on from `source`; a move cuts those that are open."""

    def __init__(self, host: str, port: int) -> None:
        self.source, self._target = AT_HOME, (host, port)
        self._listening = socket.create_server((NAT, port))
        self._open: list[socket.socket] = []
        self._ended = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def move(self, source: str) -> None:
        self.source = source
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self._ended = True
        self.move("")
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        threads = []
        while not self._ended:
            if not select.select([self._listening], [], [], 0.1)[0]:
                continue
            near, _ = self._listening.accept()
            threads.append(threading.Thread(target=self._relay, args=(near,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _relay(self, near: socket.socket) -> None:
        source = (self.source, 0)
        with (
            near,
            suppress(OSError),
            socket.create_connection(self._target, 2, source) as far,
        ):
            ends = {near: far, far: near}
            self._open += ends
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    if not (data := end.recv(65536)):
                        return
                    ends[end].sendall(data)


@pytest.fixture
def addresses(cloud: Profile) -> Iterator[AddressServer]:
    """The cloud's profile, with an address that is found out."""
    server = AddressServer(cloud.ipython_dir)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
    thread.start()
    config = cloud.folder / "ipcluster_config.py"
    config.write_text(
        config.read_text() + f"c.AzureVMLauncher.ssh_source = ['{OFFICE}', 'auto']\n"
        f"c.AzureVMLauncher.public_ip_service = 'https://127.0.0.1:{server.server_port}'\n"
    )
    cloud.environment["SSL_CERT_FILE"] = str(server.ca_file)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def behind_nat(cloud: Profile, addresses: AddressServer) -> Iterator[Nat]:
    """A running cluster, reached through the relay from now on; nothing may be left of it."""
    cloud.ipcluster("start", "-n", "1", "--daemonize")
    record = record_of(cloud)
    nat = Nat(record.controller.host, record.plan.ssh_port)
    cloud.kill_link()
    with RecordFile.of(str(cloud.folder), "").edit() as record:
        record.controller.host = NAT
    yield nat
    # while the relay and the token server are still there: without them it waits and fails
    cloud.ipcluster("stop")
    nat.end()
    cloud.assert_nothing_left()


def allowed_sources(profile: Profile, emulator: EmulatorInfo) -> list[str]:
    plan = record_of(profile).plan
    files = emulator.ca_file, emulator.token_file
    endpoint = Endpoint(emulator.endpoint, emulator.endpoint, *files)
    path = (
        f"resourceGroups/{plan.resource_group}/providers/{NSG}/{plan.names.network_security_group}"
    )
    with AzureApi(endpoint, plan.subscription_id) as api:
        found = api.read(path, NETWORK_API, doing="reading the rule")
    (rule,) = found["properties"]["securityRules"]
    sources: list[str] = rule["properties"]["sourceAddressPrefixes"]
    return sources


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((AT_HOME, port)) == 0


def seven(profile: Profile) -> str:
    return profile.python(
        f"import ipyparallel as ipp; rc = ipp.Client(profile={profile.name!r}, timeout=30)\n"
        "print(rc[:].apply_async(abs, -7).get(30))"
    )


def test_this_computer_gets_another_address(
    cloud: Profile, behind_nat: Nat, addresses: AddressServer, emulator: EmulatorInfo
) -> None:
    output = cloud.run("ipcluster-azure", "attach", f"--profile={cloud.name}").stdout
    assert f"ipyparallel.Client(profile='{cloud.name}')" in output
    assert "SSH is allowed" not in output  # it is where it was
    assert seven(cloud) == "[7]"
    assert allowed_sources(cloud, emulator) == [OFFICE, f"{AT_HOME}/32"]
    addresses.address = ELSEWHERE
    behind_nat.move(ELSEWHERE)
    wait_for(lambda: "SSH is allowed from there" in link_log(cloud), FOUND_S)
    assert allowed_sources(cloud, emulator) == [OFFICE, f"{ELSEWHERE}/32"]
    assert seven(cloud) == "[7]"
    assert record_of(cloud).plan.own_source == f"{ELSEWHERE}/32"


@variant  # of test_this_computer_gets_another_address
def test_attach_from_elsewhere_after_a_restart(
    cloud: Profile, behind_nat: Nat, addresses: AddressServer, emulator: EmulatorInfo
) -> None:
    addresses.address = ELSEWHERE
    behind_nat.move(ELSEWHERE)
    output = cloud.run("ipcluster-azure", "attach", f"--profile={cloud.name}").stdout
    assert f"This computer's address is {ELSEWHERE}/32 now" in output
    assert seven(cloud) == "[7]"
    # once more changes nothing
    link_pid = record_of(cloud).link_pid
    output = cloud.run("ipcluster-azure", "attach", f"--profile={cloud.name}").stdout
    assert "SSH is allowed" not in output
    assert record_of(cloud).link_pid == link_pid


def test_attach_while_another_program_has_a_port_of_before(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    record = record_of(profile)
    profile.kill_link()
    port = record.tunnels["task"].local
    wait_for(lambda: not is_open(port))
    with socket.create_server((AT_HOME, port)):
        output = profile.run("ipcluster-azure", "attach", f"--profile={profile.name}").stdout
        assert "open clients anew" in output
        assert seven(profile) == "[7]"
        tunnels = record_of(profile).tunnels
        changed = [name for name in tunnels if tunnels[name] != record.tunnels[name]]
        assert changed == ["task"]
        # this one runs: nothing changes
        output = profile.run("ipcluster-azure", "attach", f"--profile={profile.name}").stdout
        assert "anew" not in output
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_two_at_once_open_one_way(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    profile.kill_link()
    both = [
        profile.popen("ipcluster-azure", "attach", f"--profile={profile.name}") for _ in range(2)
    ]
    for process in both:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    links = [
        process for process in profile.processes() if "ipcluster_azure.link" in process.cmdline()
    ]
    assert [link.pid for link in links] == [record_of(profile).link_pid]
    assert seven(profile) == "[7]"
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_attach_to_what_is_not_there(cloud: Profile, identity: IdentityServer) -> None:
    output = cloud.run("ipcluster-azure", "attach", f"--profile={cloud.name}", expect=1).stdout
    assert "There is no cluster on record" in output
