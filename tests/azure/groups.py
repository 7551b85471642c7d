"""Finds and deletes resource groups by a tag, without any code of the package under test."""

import time
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.resource.resources import ResourceManagementClient

from azure_emulator.client import EmulatorInfo

FORCE = "Microsoft.Compute/virtualMachines,Microsoft.Compute/virtualMachineScaleSets"


class _EmulatorToken:
    def __init__(self, path: str) -> None:
        self._token = Path(path).read_text(encoding="ascii").strip()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self._token, 2**31)


def client_of_emulator(info: EmulatorInfo) -> ResourceManagementClient:
    return ResourceManagementClient(
        _EmulatorToken(info.token_file),
        info.subscription_id,
        base_url=info.endpoint,
        credential_scopes=[f"{info.endpoint}/.default"],
        connection_verify=info.ca_file,
        use_env_settings=False,
    )


def client_of_azure(subscription_id: str) -> ResourceManagementClient:
    from azure.identity import DefaultAzureCredential

    return ResourceManagementClient(DefaultAzureCredential(), subscription_id)


class TaggedGroups:
    """All resource groups of a subscription with one tag of one value."""

    def __init__(
        self, client: ResourceManagementClient, tag: str, value: str, *, poll_interval_s: float
    ) -> None:
        self._client, self._tag, self.tags = client, tag, {tag: value}
        self._filter = f"tagName eq '{tag}' and tagValue eq '{value}'"
        self._poll_interval_s = poll_interval_s

    def with_value(self, value: str) -> "TaggedGroups":
        return TaggedGroups(self._client, self._tag, value, poll_interval_s=self._poll_interval_s)

    def create(self, name: str, location: str) -> None:
        body: Any = {"location": location, "tags": self.tags}
        self._client.resource_groups.create_or_update(name, body)

    def names(self) -> list[str]:
        return [group.name for group in self._client.resource_groups.list(filter=self._filter)]

    def delete_all(self, timeout_s: float) -> list[str]:
        """Ask for the deletion of each, then wait until none is listed. Returns their names."""
        found = self.names()
        for name in found:
            self._ask_for_deletion(name)
        left = self.wait_until_gone(timeout_s)
        assert left == [], (
            f"STILL THERE AND COSTING MONEY: resource groups {left}; delete each with "
            "`az group delete --name NAME`"
        )
        return found

    def _ask_for_deletion(self, name: str) -> None:
        try:
            self._client.resource_groups.begin_delete(
                name, force_deletion_types=FORCE, polling=False
            )
        except ResourceNotFoundError:
            return

    def wait_until_gone(self, timeout_s: float) -> list[str]:
        """The names that are listed still: none, unless the time was too short."""
        deadline = time.monotonic() + timeout_s
        while (left := self.names()) and time.monotonic() < deadline:
            time.sleep(self._poll_interval_s)
        return left
