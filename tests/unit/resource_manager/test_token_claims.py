"""Who a token of Azure's says is logged in."""

import base64
import json
from pathlib import Path

import jwt
import pytest

from azure_emulator import client
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.resource_manager.token_claims import login_of


def _token(claims: object) -> str:
    return jwt.encode(claims, "k" * 32) if isinstance(claims, dict) else _coded(claims)


def _coded(claims: object) -> str:
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{text}.c2ln"


def test_the_emulators_token_says_who_is_logged_in(tmp_path: Path) -> None:
    info = client.start(tmp_path, machines="none")
    try:
        endpoint = Endpoint(info.endpoint, info.endpoint, info.ca_file, info.token_file)
        with AzureApi(endpoint, info.subscription_id) as api:
            object_id, _, tenant_id = api.login().partition("@")
        token = Path(info.token_file).read_text()
    finally:
        client.stop(tmp_path)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (object_id, tenant_id) == (claims["oid"], claims["tid"])


@pytest.mark.parametrize("length", range(4))
def test_a_token_of_any_length(length: int) -> None:
    claims = {"oid": "0a-1b", "tid": "2c-3d", "name": "x" * length}
    assert login_of(_token(claims)) == "0a-1b@2c-3d"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b",
        "a.b.c",
        "a.%%%%.c",
        "\N{EURO SIGN}.\N{EURO SIGN}.c",
        "a.b.c.d.e",  # encrypted
        _coded([]),
        _coded("text"),
        _coded(None),
        _token({}),
        _token({"oid": "o"}),
        _token({"tid": "t"}),
        _token({"oid": "", "tid": "t"}),
        _token({"oid": None, "tid": "t y"}),
        _token({"oid": "o@p", "tid": "t"}),
        _token({"oid": "o\n", "tid": "t"}),
        _token({"oid": "o" * 101, "tid": "t"}),
    ],
)
def test_what_cannot_be_read_says_nothing(token: str) -> None:
    assert login_of(token) == ""
