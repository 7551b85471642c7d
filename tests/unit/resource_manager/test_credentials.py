"""azure-identity for real, with stand-ins on PATH for the programs that it asks for tokens."""

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import LoginError
from ipcluster_azure.resource_manager import credentials, threads
from ipcluster_azure.resource_manager.credentials import Login, check_login

SCOPE = "https://management.azure.com/.default"
NEVER = 4102444800  # 2100
TOKEN = f"""echo "{{\\"accessToken\\": \\"$*\\", \\"expires_on\\": {NEVER}}}" """
EXPIRED = """cat >&2 <<'END'
ERROR: AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency checks by
END
echo 'Trace ID: 00000000-aaaa' >&2
echo 'Interactive authentication is needed. Please run:' >&2
echo 'az login --scope https://management.core.windows.net//.default' >&2
exit 1"""
TRACEBACK = """cat >&2 <<'END'
The command failed with an unexpected error. Here is the traceback:
Traceback (most recent call last):
  File "azure/cli.py", line 1, in main
ModuleNotFoundError: No module named 'azure'
END
exit 1"""
BLOCKED = "echo 'ERROR: AADSTS53003: Access has been blocked. Trace ID: 1' >&2; exit 1"
SECOND_FACTOR = """echo 'ERROR: AADSTS50076: you must use multi-factor authentication.' >&2
echo 'az login --tenant "T"' >&2; exit 1"""
NOT_LOGGED_IN = "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1"


class Computer:
    """What a user's computer has for logging in: nothing at first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._programs = folder / "bin"
        self._programs.mkdir()
        self._patch = monkeypatch
        for name in os.environ:
            if name.startswith(("AZURE_", "IDENTITY_", "MSI_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("PATH", str(self._programs))
        monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder / "azure"))

    def has(self, program: str, script: str) -> None:
        path = self._programs / program
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        path.chmod(0o755)

    def sets(self, **variables: str) -> None:
        for name, value in variables.items():
            self._patch.setenv(name, value)


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    return Computer(tmp_path, monkeypatch)


def _token(tenant: str = "", program_tenant: str = "") -> str:
    return Login("", tenant, program_tenant).get_token(SCOPE).token


def _refusal() -> str:
    with pytest.raises(LoginError) as caught:
        _token()
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("Not logged in to Azure. ")
    assert len(text) < 900  # some lines on a terminal
    return text


PROGRAMS = [
    ("az", NOT_LOGGED_IN, "az: not logged in.", "Run `az login`;"),
    ("az", EXPIRED, "az: AADSTS70043: The refresh token", "Run `az login --scope https://manage"),
    ("az", SECOND_FACTOR, "az: AADSTS50076: you must use multi", 'Run `az login --tenant "T"`'),
    ("az", BLOCKED, "az: AADSTS53003: Access has been blocked.", "ask its administrator"),
    ("az", TRACEBACK, "az: ModuleNotFoundError: No module", "to see what is wrong with `az`"),
    ("az", "kill -9 $$", "az: it was ended by SIGKILL.", "to see what is wrong with `az`"),
    ("az", "exit 3", "az: it ended with status 3 and said nothing", "to see what is wrong"),
    ("az", "exec /nowhere/python", "/nowhere/python: not found", "to see what is wrong"),
    ("az", 'echo "{\\"accessToken\\":\\"hush\\"}"', "az: its answer is not a token", "`az login`"),
    ("az", "echo hush", "az: its answer is not a token", "`az login`"),
    (
        "azd",
        "echo 'run `azd auth login`' >&2; exit 1",
        "azd: not logged in",
        "Run `azd auth login`",
    ),
    (
        "pwsh",
        "echo 'Run Connect-AzAccount to login' >&2; exit 1",
        "PowerShell: not",
        "Run `Connect",
    ),
    ("pwsh", "echo hush", "PowerShell: its answer is not a token", "Run `Connect-AzAccount`"),
]


@pytest.mark.parametrize(("program", "script", "said", "advised"), PROGRAMS)
def test_what_a_program_said_and_what_to_type(
    computer: Computer, program: str, script: str, said: str, advised: str
) -> None:
    computer.sets(AZURE_TOKEN_CREDENTIALS="dev")
    computer.has(program, script)
    text = _refusal()
    assert said in text
    assert advised in text
    assert "hush" not in text
    assert "Trace ID" not in text


def test_what_is_not_there_is_named_as_tried(computer: Computer) -> None:
    computer.sets(AZURE_TOKEN_CREDENTIALS="dev")
    text = _refusal()
    assert "Not set up here: " in text
    for kind in ("VS Code", "az", "PowerShell", "azd"):
        assert kind in text
    assert "AZURE_TOKEN_CREDENTIALS is dev" in text
    # there is no `az`: where to get it
    assert "install-azure-cli" in text
    assert "the how-to page 'Log in to Azure'" in text


VARIABLES = [
    (
        {"AZURE_CLIENT_ID": "x"},
        "AZURE_CLIENT_ID is set, but not AZURE_TENANT_ID and AZURE_CLIENT_S",
    ),
    (
        {"AZURE_CLIENT_ID": "x", "AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere.pem"},
        "AZURE_CLIENT_ID and AZURE_CLIENT_CERTIFICATE_PATH are set, but not AZURE_TENANT_ID",
    ),
    (
        {
            "AZURE_CLIENT_ID": "x",
            "AZURE_TENANT_ID": "t",
            "AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere.pem",
        },
        "environment variables: No such file or directory: /nowhere.pem",
    ),
    (
        {"AZURE_CLIENT_ID": "", "AZURE_TENANT_ID": "", "AZURE_CLIENT_SECRET": ""},
        "client_id should be the id of a Microsoft Entra application",
    ),
    (
        {"AZURE_CLIENT_ID": "x", "AZURE_TENANT_ID": "a b", "AZURE_CLIENT_SECRET": "s"},
        "Invalid tenant ID",
    ),
    ({"AZURE_TOKEN_CREDENTIALS": "nosuch"}, "Invalid value for AZURE_TOKEN_CREDENTIALS: nosuch"),
    ({"AZURE_AUTHORITY_HOST": "http://login.example"}, "'http://login.example' is an invalid auth"),
    (
        {"AZURE_CLIENT_ID": "x", "AZURE_TENANT_ID": "t", "AZURE_FEDERATED_TOKEN_FILE": "/nowhere"},
        "workload identity: No such file or directory: /nowhere",
    ),
    (
        {"AZURE_CLIENT_ID": "x", "AZURE_FEDERATED_TOKEN_FILE": "/nowhere"},
        "workload identity: there is no 'tenant_id'",
    ),
]


@pytest.mark.parametrize(("variables", "said"), VARIABLES)
def test_variables_that_lead_nowhere(
    computer: Computer, imds: "Metadata", variables: dict[str, str], said: str
) -> None:
    computer.sets(AZURE_POD_IDENTITY_AUTHORITY_HOST=imds.url, **variables)
    assert said in _refusal()


def test_both_what_the_variables_lack_and_what_az_says(
    computer: Computer, imds: "Metadata"
) -> None:
    computer.sets(AZURE_POD_IDENTITY_AUTHORITY_HOST=imds.url, AZURE_CLIENT_ID="x")
    computer.has("az", EXPIRED)
    text = _refusal()
    assert "environment variables: AZURE_CLIENT_ID is set, but not" in text
    assert "az: AADSTS70043" in text
    assert "`az login --scope" in text


class Metadata(ThreadingHTTPServer):
    """The instance metadata service of a machine without an identity; `silent`: of none at all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuses)
        self.silent = threading.Event()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Refuses(BaseHTTPRequestHandler):
    server: Metadata

    def do_GET(self) -> None:
        if self.server.silent.is_set():
            self.server.over.wait(60)
            return
        body = b'{"error": "invalid_request", "error_description": "Identity not found"}'
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def imds() -> Iterator[Metadata]:
    server = Metadata()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_machine_without_an_identity(computer: Computer, imds: Metadata) -> None:
    computer.sets(
        AZURE_POD_IDENTITY_AUTHORITY_HOST=imds.url,
        AZURE_TOKEN_CREDENTIALS="ManagedIdentityCredential",
    )
    text = _refusal()
    assert "managed identity: Token request error: (invalid_request) Identity not found." in text
    assert "Give this machine an identity" in text


def test_a_kind_of_login_that_hangs_keeps_no_other_from_it(
    computer: Computer, imds: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "OTHER_LOGIN_S", -1.0)
    imds.silent.set()
    computer.sets(AZURE_POD_IDENTITY_AUTHORITY_HOST=imds.url)
    computer.has("az", TOKEN)
    assert _token().startswith("account get-access-token")


def test_az_that_takes_long_is_waited_for_and_that_is_said(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "WORTH_SAYING_S", 0.2)
    computer.sets(AZURE_TOKEN_CREDENTIALS="dev")
    computer.has("az", f"sleep 2; {TOKEN}")
    assert _token().startswith("account get-access-token")
    said = [item.getMessage() for item in caplog.records if item.name == "ipcluster_azure"]
    assert said == ["Waiting for the login to Azure, by az: at most 60 s"]


def test_az_that_hangs(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "LOGIN_TIMEOUT_S", 1.0)
    computer.sets(AZURE_TOKEN_CREDENTIALS="AzureCliCredential")
    computer.has("az", "exec sleep 600")
    assert "az: it did not answer in time" in _refusal()


def test_the_tenant_is_that_of_the_setting_or_for_programs_that_of_the_subscription(
    computer: Computer,
) -> None:
    computer.sets(AZURE_TOKEN_CREDENTIALS="dev")
    computer.has("az", TOKEN)
    assert "--tenant" not in _token()
    assert _token("", "of-subscription").endswith("--tenant of-subscription")
    assert _token("set", "of-subscription").endswith("--tenant set")


def test_one_token_serves_all_until_it_expires(computer: Computer, tmp_path: Path) -> None:
    computer.sets(AZURE_TOKEN_CREDENTIALS="dev")
    calls = tmp_path / "calls"
    soon = int(time.time()) + 100
    computer.has(
        "az",
        f"echo x >> {calls}\n[ -e {tmp_path}/gone ] && exit 1\n"
        f"expires={soon}\n[ -e {tmp_path}/long ] && expires={NEVER}\n"
        'echo "{\\"accessToken\\": \\"token\\", \\"expires_on\\": $expires}"',
    )
    login = Login("", "", "")

    def asked() -> int:
        login.get_token(SCOPE)
        return calls.read_text().count("x")

    assert [asked(), asked()] == [1, 2]  # it has but 100 s left
    (tmp_path / "gone").touch()
    assert asked() == 3  # no other to be had: it still holds
    (tmp_path / "gone").unlink()
    (tmp_path / "long").touch()
    login = Login("", "", "")
    assert [asked(), asked()] == [4, 4]
    assert login.kind == "az"


def test_a_failure_is_not_repeated_for_each_of_several_requests(
    computer: Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computer.sets(AZURE_TOKEN_CREDENTIALS="dev")
    calls = tmp_path / "calls"
    computer.has("az", f"echo x >> {calls}; exit 1")
    login = Login("", "", "")
    for _ in range(3):
        with pytest.raises(LoginError, match="ended with status 1"):
            login.get_token(SCOPE)
    assert calls.read_text().count("x") == 1
    monkeypatch.setattr(credentials, "NOT_AGAIN_S", 0.0)
    computer.has("az", TOKEN)  # the user has logged in
    assert login.get_token(SCOPE).token


def test_the_emulators_token_that_is_not_there(tmp_path: Path) -> None:
    gone = Endpoint("https://127.0.0.1:9", "a", "ca", str(tmp_path / "token"))
    with pytest.raises(LoginError, match="emulator") as caught:
        check_login(gone, "s")
    assert "az login" not in str(caught.value)
