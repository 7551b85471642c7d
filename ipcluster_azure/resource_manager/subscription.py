"""Which subscription to use, found the way users of Azure's own tools expect."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from ..errors import ConfigurationError

CLI_TIMEOUT_S = 6.0


def find_subscription(configured: str) -> str:
    """The setting, else $AZURE_SUBSCRIPTION_ID, else the default of `az login`.

    Raises ConfigurationError if there is none. Blocking: the last resort starts `az`.
    """
    found = (
        configured
        or os.environ.get("AZURE_SUBSCRIPTION_ID", "").strip()
        or _from_profile()
        or _from_cli()
    )
    if not found:
        raise ConfigurationError(
            "No Azure subscription: run `az login`, or set $AZURE_SUBSCRIPTION_ID or "
            "c.AzureVMLauncher.subscription_id; or try c.AzureVMLauncher.endpoint = 'emulator', "
            "which needs no account."
        )
    if not re.fullmatch(r"\w[\w-]*", found, re.ASCII):  # it becomes a part of addresses
        raise ConfigurationError(f"{found!r} is not a subscription's id.")
    return found


def _from_profile() -> str:
    """The default subscription in azureProfile.json, which the Azure CLI writes at login."""
    folder = os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure"
    try:
        # the CLI writes a byte order mark
        text = (Path(folder) / "azureProfile.json").read_text(encoding="utf-8-sig")
        subscriptions = json.loads(text)["subscriptions"]
        return next((str(item["id"]) for item in subscriptions if item.get("isDefault")), "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _from_cli() -> str:
    """What `az account show` says; the Azure CLI may keep its profile elsewhere."""
    az = shutil.which("az")
    if az is None:
        return ""
    command = [az, "account", "show", "--query", "id", "--output", "tsv"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=CLI_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
