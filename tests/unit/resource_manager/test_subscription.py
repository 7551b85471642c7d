import json
from pathlib import Path

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.resource_manager.azure_profile import tenant_of
from ipcluster_azure.resource_manager.subscription import find_subscription


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def _profile(tmp_path: Path, content: str) -> None:
    (tmp_path / "azure").mkdir()
    # the Azure CLI writes a byte order mark
    (tmp_path / "azure" / "azureProfile.json").write_text(content, encoding="utf-8-sig")


def _az(tmp_path: Path, script: str) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "az"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


PROFILE = json.dumps(
    {"subscriptions": [{"id": "other", "isDefault": False}, {"id": "default", "isDefault": True}]}
)


def test_the_setting_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "variable")
    assert find_subscription("setting") == "setting"


def test_then_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _profile(tmp_path, PROFILE)
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", " variable ")
    assert find_subscription("") == "variable"


def test_then_the_default_of_az_login(tmp_path: Path) -> None:
    _profile(tmp_path, PROFILE)
    _az(tmp_path, "echo from-cli")
    assert find_subscription("") == "default"


def test_then_what_the_cli_says(tmp_path: Path) -> None:
    _az(tmp_path, '[ "$*" = "account show --query id --output tsv" ] && echo from-cli')
    assert find_subscription("") == "from-cli"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"subscriptions": [{"id": "x"}]}'])
def test_an_unusable_profile_is_passed_over(tmp_path: Path, content: str) -> None:
    _profile(tmp_path, content)
    with pytest.raises(ConfigurationError, match="az login"):
        find_subscription("")


@pytest.mark.parametrize("script", ["exit 1", "echo no; exit 1", "exec sleep 30"])
def test_a_cli_that_fails_or_hangs_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr("ipcluster_azure.resource_manager.subscription.CLI_TIMEOUT_S", 0.3)
    _az(tmp_path, f"PATH=/usr/bin:/bin; {script}")
    with pytest.raises(ConfigurationError, match="emulator"):
        find_subscription("")


def _subscription(**members: object) -> str:
    return json.dumps({"subscriptions": [{"id": "S-1", "tenantId": "t-1", **members}]})


@pytest.mark.parametrize(
    ("content", "tenant"),
    [
        (_subscription(), "t-1"),
        (_subscription(user={"name": "ann@example.com", "type": "user"}), "t-1"),
        # `az` refuses to be told a tenant when it is logged in as one of these
        (_subscription(user={"name": "systemAssignedIdentity", "type": "servicePrincipal"}), ""),
        (_subscription(user={"name": "ann@example.com", "cloudShellID": True}), ""),
        (_subscription(tenantId=None), ""),
        (_subscription(tenantId="a b; c"), ""),
        (_subscription(id=7), ""),
        ('{"subscriptions": [7]}', ""),
        ("", ""),
    ],
)
def test_the_tenant_of_a_subscription(tmp_path: Path, content: str, tenant: str) -> None:
    _profile(tmp_path, content)
    assert tenant_of("s-1") == tenant
    assert tenant_of("another") == ""


def test_az_that_takes_long_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ipcluster_azure.resource_manager.threads.WORTH_SAYING_S", 0.2)
    _az(tmp_path, "/bin/sleep 1; echo from-cli")
    assert find_subscription("") == "from-cli"
    (said,) = [item.getMessage() for item in caplog.records]
    assert said == "Waiting for `az account show`: at most 60 s"


def test_az_that_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipcluster_azure.resource_manager.subscription.CLI_TIMEOUT_S", 0.3)
    _az(tmp_path, "exec /bin/sleep 30")
    with pytest.raises(ConfigurationError, match="`az account show` did not answer"):
        find_subscription("")


def test_where_there_is_no_az_it_is_said_where_to_get_it() -> None:
    with pytest.raises(ConfigurationError, match="install-azure-cli"):
        find_subscription("")
