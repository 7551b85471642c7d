"""azure-identity for real: a token server as managed identity has one, the emulator as a cloud.

The endpoint is given by its address, with its certificate in REQUESTS_CA_BUNDLE, as for a cloud of
one's own; nothing in the launcher knows that it is the emulator.
"""

import json
import os
import select
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo

from .conftest import IMAGE, TWO_LINES, Profile, wait_for

POLL_S = 0.05  # until a server sees that it is to end
AUDIENCE = "https://cloud.example.org"
NO_LOGIN = {
    "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
    "AZURE_CLIENT_ID": "",
    "AZURE_TENANT_ID": "",
}


class IdentityServer(ThreadingHTTPServer):
    """Hands out tokens for one audience, by the protocol of App Service's managed identity.

    lifetime_s: of each token, if they are short-lived; willing: whether it hands out any.
    """

    def __init__(self, emulator: EmulatorInfo) -> None:
        super().__init__(("127.0.0.1", 0), _Identity)
        self.emulator = emulator
        self.audiences: list[str] = []
        self.lifetime_s = 0
        self.willing = True

    def token(self) -> tuple[str, int]:
        """A token, and when it expires."""
        if not self.lifetime_s:
            return Path(self.emulator.token_file).read_text().strip(), 4102444800
        issued = client.token(self.emulator, ["*"], expires_in_s=self.lifetime_s)
        return issued, int(time.time()) + self.lifetime_s


class _Identity(BaseHTTPRequestHandler):
    server: IdentityServer

    def do_GET(self) -> None:
        (resource,) = parse_qs(urlparse(self.path).query)["resource"]
        self.server.audiences.append(resource)
        known = self.headers["X-IDENTITY-HEADER"] == "secret" and resource == AUDIENCE
        known = known and self.server.willing
        token, expires_on = self.server.token()
        body = {"access_token": token, "expires_on": str(expires_on), "resource": resource}
        text = json.dumps(body if known else {"error": "invalid_scope"}).encode()
        self.send_response(200 if known else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def identity(emulator: EmulatorInfo) -> Iterator[IdentityServer]:
    server = IdentityServer(emulator)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cloud(bare_profile: Profile, identity: IdentityServer, emulator: EmulatorInfo) -> Profile:
    """A profile for "another cloud", with everything that a user of one must set."""
    offer = client.offer(emulator)
    bare_profile.environment.update(
        IDENTITY_ENDPOINT=f"http://127.0.0.1:{identity.server_port}/token",
        IDENTITY_HEADER="secret",
        AZURE_TOKEN_CREDENTIALS="ManagedIdentityCredential",
        AZURE_SUBSCRIPTION_ID=emulator.subscription_id,
        REQUESTS_CA_BUNDLE=emulator.ca_file,
        NO_PROXY="127.0.0.1",
    )
    bare_profile.configure(
        f"{TWO_LINES}{IMAGE}"
        f"c.AzureVMLauncher.endpoint = {emulator.endpoint!r}\n"
        f"c.AzureVMLauncher.audience = {AUDIENCE!r}\n"
        f"c.AzureVMLauncher.address_prefix = {offer['address_prefix']!r}\n"
        f"c.AzureVMLauncher.ssh_port = {offer['ssh_port']}\n"
        f"c.AzureVMLauncher.ssh_source = {offer['ssh_source']!r}\n"
    )
    return bare_profile


def test_a_cluster_on_another_cloud(cloud: Profile, identity: IdentityServer) -> None:
    cloud.ipcluster("start", "-n", "1", "--daemonize")
    code = f"import ipyparallel as ipp; print(ipp.Client(profile={cloud.name!r}).ids)"
    assert cloud.python(code) == "[0]"
    # the sizes are asked for once a day
    assert list(cloud.folder.glob("azure-sizes-*.json"))
    cloud.ipcluster("stop")
    assert set(identity.audiences) == {AUDIENCE}
    # for all that the launcher knows this is no emulator: the end of the deletion is left to it
    retired = cloud.folder / "security" / "azure_deleting"
    if retired.exists():
        for path in retired.iterdir():
            assert json.loads(path.read_text())["state"] == "deleting"
        shutil.rmtree(retired)
    cloud.assert_nothing_left()


USED_FOR_A_WHILE = """
import time
import ipyparallel as ipp
cluster = ipp.Cluster(profile={profile!r}, n=1)
with cluster as client:
    print(client.ids)
    time.sleep({seconds})
{then}
"""


def test_a_token_that_expires_in_the_middle_is_renewed(
    cloud: Profile, identity: IdentityServer
) -> None:
    identity.lifetime_s = 4
    code = USED_FOR_A_WHILE.format(profile=cloud.name, seconds=6, then="print('stopped')")
    assert cloud.python(code).splitlines()[-2:] == ["[0]", "stopped"]
    assert len(identity.audiences) >= 2
    shutil.rmtree(cloud.folder / "security" / "azure_deleting", ignore_errors=True)
    cloud.assert_nothing_left()


def test_a_login_that_ends_in_the_middle_is_said_and_the_stop_can_be_repeated(
    cloud: Profile, identity: IdentityServer
) -> None:
    identity.lifetime_s = 5
    cloud.ipcluster("start", "-n", "1", "--daemonize")
    identity.willing = False
    output = cloud.ipcluster("stop", expect=1)
    assert "Not logged in to Azure" in output
    assert "run `ipcluster stop` again" in output
    identity.willing = True
    cloud.ipcluster("stop")
    shutil.rmtree(cloud.folder / "security" / "azure_deleting", ignore_errors=True)
    cloud.assert_nothing_left()


class _Tunnel(BaseHTTPRequestHandler):
    """A proxy's CONNECT, and nothing else of it."""

    server: "Proxy"

    def do_CONNECT(self) -> None:
        self.server.asked_for.append(self.path)
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as upstream:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: upstream, upstream: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    if not (data := end.recv(65536)):
                        return
                    ends[end].sendall(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Proxy(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.asked_for: list[str] = []


def test_calls_to_azure_go_through_the_proxy(cloud: Profile, emulator: EmulatorInfo) -> None:
    proxy = Proxy()
    thread = threading.Thread(target=proxy.serve_forever, args=(POLL_S,))
    thread.start()
    try:
        address = f"http://127.0.0.1:{proxy.server_port}"
        # the token's server is asked directly, as that of a managed identity is
        identity = urlparse(cloud.environment["IDENTITY_ENDPOINT"]).netloc
        cloud.environment.update(HTTPS_PROXY=address, https_proxy=address, NO_PROXY=identity)
        cloud.environment["AZURE_SUBSCRIPTION_ID"] = "00000000-0000-0000-0000-000000000001"
        assert "(SubscriptionNotFound)" in _refusal(cloud)
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
    assert set(proxy.asked_for) == {urlparse(emulator.endpoint).netloc}


def _refusal(profile: Profile) -> str:
    output = profile.ipcluster("start", "-n", "1", expect=1)
    profile.assert_nothing_left()
    (line,) = [line for line in output.splitlines() if "CRITICAL" in line]
    return line


def test_not_logged_in(cloud: Profile) -> None:
    cloud.environment.update(NO_LOGIN)
    refusal = _refusal(cloud)
    assert "Not set up here: environment variables" in refusal
    assert "AZURE_TOKEN_CREDENTIALS is EnvironmentCredential" in refusal
    assert "Run `az login`" in refusal


def test_a_login_that_is_refused(cloud: Profile, identity: IdentityServer) -> None:
    identity.willing = False
    refusal = _refusal(cloud)
    assert "managed identity: " in refusal
    assert "invalid_scope" in refusal


def test_a_token_that_azure_refuses_is_not_called_a_missing_login(
    cloud: Profile, identity: IdentityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "token", lambda: ("wrong", 4102444800))
    refusal = _refusal(cloud)
    assert "Azure does not accept your login" in refusal
    assert "(AuthenticationFailed)" in refusal
    assert "Not logged in" not in refusal


def test_az_that_takes_longer_than_most_is_waited_for(
    cloud: Profile, emulator: EmulatorInfo, tmp_path: Path
) -> None:
    """Once, and with the tenant that `az` itself has noted for the subscription."""
    cloud.environment.update(AZURE_TOKEN_CREDENTIALS="dev", AZURE_CONFIG_DIR=str(tmp_path))
    cloud.environment["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    noted = {"id": emulator.subscription_id, "tenantId": "t-1", "isDefault": True}
    profile = json.dumps({"subscriptions": [noted]})
    (tmp_path / "azureProfile.json").write_text(profile, encoding="utf-8-sig")
    az = tmp_path / "az"
    az.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\nsleep 9\n'
        f'echo "{{\\"accessToken\\": \\"$(cat {emulator.token_file})\\", '
        '\\"expires_on\\": 4102444800}"\n'
    )
    az.chmod(0o755)
    output = cloud.run("ipcluster-azure", "list", "--profile=azure").stdout
    assert "Waiting for the login to Azure, by az: at most 60 s" in output
    assert "There is no cluster." in output
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.endswith(f"--resource {AUDIENCE} --tenant t-1")


def test_the_wrong_subscription(cloud: Profile) -> None:
    cloud.environment["AZURE_SUBSCRIPTION_ID"] = "00000000-0000-0000-0000-000000000001"
    assert "(SubscriptionNotFound)" in _refusal(cloud)


def test_no_subscription(cloud: Profile, tmp_path: Path) -> None:
    cloud.environment.update(AZURE_SUBSCRIPTION_ID="", AZURE_CONFIG_DIR=str(tmp_path / "none"))
    assert "No Azure subscription" in _refusal(cloud)


def test_a_certificate_that_nobody_vouches_for(cloud: Profile) -> None:
    del cloud.environment["REQUESTS_CA_BUNDLE"]
    cloud.environment["REQUESTS_CA_BUNDLE"] = "/etc/ssl/certs/ca-certificates.crt"
    if not Path(cloud.environment["REQUESTS_CA_BUNDLE"]).exists():
        pytest.skip("this machine has no list of certificates at the usual place")
    assert "does not answer" in _refusal(cloud)


def test_the_public_address_can_not_be_found_out(cloud: Profile) -> None:
    config = cloud.folder / "ipcluster_config.py"
    text = config.read_text() + (
        'c.AzureVMLauncher.ssh_source = "auto"\n'
        'c.AzureVMLauncher.public_ip_service = "https://127.0.0.1:9"\n'
    )
    config.write_text(text)
    assert "Set c.AzureVMLauncher.ssh_source" in _refusal(cloud)


def test_a_stop_that_azure_can_not_hear_can_be_repeated(
    cloud: Profile, emulator: EmulatorInfo
) -> None:
    cloud.ipcluster("start", "-n", "1", "--daemonize")
    record = cloud.folder / "security" / "azure-.json"
    record.write_text(record.read_text().replace(emulator.endpoint, "https://127.0.0.1:9"))
    output = cloud.ipcluster("stop", expect=1)
    assert "run `ipcluster stop` again" in output
    assert "does not answer" in output
    assert cloud.left_on_azure()["resource_groups"]
    cloud.kill_link()  # it would repeat it itself
    record.write_text(record.read_text().replace("https://127.0.0.1:9", emulator.endpoint))
    cloud.ipcluster("stop")
    wait_for(lambda: not cloud.left_on_azure()["resource_groups"])
