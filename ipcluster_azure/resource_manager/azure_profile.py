"""What `az login` has written into azureProfile.json: the subscriptions, and whose they are."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# logged in as one of these, `az` refuses to be told a tenant
IDENTITIES = ("systemAssignedIdentity", "userAssignedIdentity")


def default_subscription() -> str:
    """The id of the default subscription of `az login`; empty if there is none."""
    return next((_text(item, "id") for item in _subscriptions() if item.get("isDefault")), "")


def tenant_of(subscription_id: str) -> str:
    """The tenant in which `az` is to log in for a subscription; empty if that is its to know."""
    for item in _subscriptions():
        if _text(item, "id").lower() == subscription_id.lower():
            return _tenant(item)
    return ""


def _tenant(subscription: Mapping[str, Any]) -> str:
    user = subscription.get("user")
    if isinstance(user, dict) and (
        _text(user, "name") in IDENTITIES or user.get("cloudShellID") is True
    ):
        return ""
    tenant = _text(subscription, "tenantId")
    return tenant if re.fullmatch(r"[A-Za-z0-9.-]+", tenant) else ""


def _subscriptions() -> list[dict[str, Any]]:
    try:
        folder = os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure"
        # the CLI writes a byte order mark
        text = (Path(folder) / "azureProfile.json").read_text(encoding="utf-8-sig")
        return [item for item in json.loads(text)["subscriptions"] if isinstance(item, dict)]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return []


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""
