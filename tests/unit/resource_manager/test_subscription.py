import json
from pathlib import Path

import pytest

from ipcluster_azure.errors import ConfigurationError
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
