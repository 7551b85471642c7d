"""How az, Terraform and the SDKs find the emulator, and get its token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.identity import ManagedIdentityCredential
from azure.mgmt.resource.resources import ResourceManagementClient

from azure_emulator import client

from ..cloud import Cloud

NOBODY: dict[str, str] = {}


def endpoints(arm: Cloud, version: str) -> object:
    path = f"{arm.info.endpoint}/metadata/endpoints?api-version={version}"
    answer = arm.call("GET", path, headers=NOBODY)
    assert answer.status == 200, answer
    return answer.body


def test_endpoints_are_told_to_everybody(arm: Cloud) -> None:
    own = f"{arm.info.endpoint}/"
    cloud = endpoints(arm, "2022-09-01")
    assert isinstance(cloud, dict)
    assert cloud["resourceManager"] == own
    assert cloud["authentication"]["audiences"][0].startswith("https://management.")
    assert cloud["suffixes"]["storage"] == "core.windows.net"
    assert endpoints(arm, "2019-05-01") == [cloud]  # a list of clouds, in older versions
    oldest = endpoints(arm, "2015-01-01")
    assert isinstance(oldest, dict)
    assert oldest["authentication"] == {
        name: cloud["authentication"][name] for name in ("loginEndpoint", "audiences")
    }


def test_the_images_that_az_has_names_for_exist(arm: Cloud) -> None:
    cloud = endpoints(arm, "2022-09-01")
    assert isinstance(cloud, dict)
    document = arm.call("GET", cloud["vmImageAliasDoc"], headers=NOBODY).body
    systems = document["outputs"]["aliases"]["value"]
    assert set(systems["Linux"]) >= {"Ubuntu2204", "Ubuntu2404"}
    assert all(name.startswith("Win") for name in systems["Windows"])
    for image in (*systems["Linux"].values(), *systems["Windows"].values()):
        path = (
            "/providers/Microsoft.Compute/locations/eastus/publishers/{publisher}/artifacttypes/"
            "vmimage/offers/{offer}/skus/{sku}/versions"
        )
        assert arm.call("GET", path.format(**image)).body, image


def test_endpoints_need_an_api_version(arm: Cloud) -> None:
    path = f"{arm.info.endpoint}/metadata/endpoints"
    assert arm.call("GET", path, headers=NOBODY).code == "MissingApiVersionParameter"
    assert arm.call("GET", f"{path}?api-version=x", headers=NOBODY).code == (
        "InvalidApiVersionParameter"
    )
    # nothing else of that path is open
    for method, other in (("POST", path), ("GET", f"{path}/x")):
        answer = arm.call(method, f"{other}?api-version=2022-09-01", headers=NOBODY)
        assert (answer.status, answer.code) == (401, "AuthenticationFailed")


def test_a_token_for_who_has_it_already(arm: Cloud) -> None:
    path = f"{arm.info.endpoint}/msi/token?api-version=2019-08-01"
    asked = f"{path}&resource=https://management.azure.com/"
    for headers in (NOBODY, {"X-IDENTITY-HEADER": "x"}, {"X-IDENTITY-HEADER": arm.token[:-1]}):
        answer = arm.call("GET", asked, headers=headers)
        assert (answer.status, answer.code) == (401, "AuthenticationFailed")
    secret = {"X-IDENTITY-HEADER": arm.token}
    assert arm.call("GET", path, headers=secret).status == 400
    body = arm.call("GET", asked, headers=secret).body
    assert (body["access_token"], body["token_type"]) == (arm.token, "Bearer")
    assert body["resource"] == "https://management.azure.com/"
    assert int(body["expires_on"]) > time.time() + 3600


def test_the_environment_is_all_that_an_sdk_needs(
    arm: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own login and proxies are not in its way."""
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    found = client.environment(arm.info)
    assert found["NO_PROXY"] == "intranet.example,127.0.0.1"
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    with (
        ManagedIdentityCredential() as credential,
        ResourceManagementClient(
            credential,
            os.environ["AZURE_SUBSCRIPTION_ID"],
            base_url=os.environ["AZURE_RESOURCE_MANAGER_ENDPOINT"],
            credential_scopes=["https://management.azure.com/.default"],
        ) as resources,
    ):
        assert [item.namespace for item in resources.providers.list()]


def test_the_command_prints_it_for_a_shell_and_as_json(arm: Cloud) -> None:
    command = [sys.executable, "-m", "azure_emulator", "env", f"--state-dir={arm.info.state_dir}"]
    listed = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=True, timeout=60
    )
    expected = json.loads(listed.stdout)
    assert (
        expected["AZURE_TENANT_ID"]
        == (arm.call("GET", arm.subscription, version="2022-12-01").body["tenantId"])
    )
    shown = subprocess.run(
        ["/bin/sh", "-ec", 'eval "$("$@")"; exec env', "sh", *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    known = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    assert {name: known.get(name) for name in expected} == expected


def test_without_an_emulator_it_says_what_to_type(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "azure_emulator", "env", f"--state-dir={tmp_path / 'none'}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "no emulator is running" in done.stderr
    assert "emulator start" in done.stderr


def test_azs_settings_of_an_earlier_emulator_are_gone(tmp_path: Path) -> None:
    """They name its port and its subscription."""
    info = client.start(tmp_path, machines="none")
    try:
        directory = Path(client.environment(info)["AZURE_CONFIG_DIR"])
    finally:
        client.stop(tmp_path)
    directory.mkdir()
    (directory / "clouds.config").touch()
    client.start(tmp_path, machines="none")
    try:
        assert not directory.exists()
    finally:
        client.stop(tmp_path)
