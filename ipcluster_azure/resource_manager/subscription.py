"""Which subscription to use, found the way users of Azure's own tools expect."""

import os
import re
import shutil
import subprocess

from ..errors import ConfigurationError
from .azure_profile import default_subscription
from .login_advice import how_to_log_in
from .threads import TimedOut, within

CLI_TIMEOUT_S = 60.0  # as LOGIN_TIMEOUT_S


class NoSubscription(ConfigurationError):
    """Neither the settings nor a login names a subscription."""


def find_subscription(configured: str) -> str:
    """The setting, else $AZURE_SUBSCRIPTION_ID, else the default of `az login`.

    Raises NoSubscription if there is none, ConfigurationError if it can't be one. Blocking: the
    last resort starts `az`.
    """
    found = (
        configured
        or os.environ.get("AZURE_SUBSCRIPTION_ID", "").strip()
        or default_subscription()
        or _from_cli()
    )
    if not found:
        raise NoSubscription(_none_found())
    if not re.fullmatch(r"\w[\w-]*", found, re.ASCII):  # it becomes a part of addresses
        raise ConfigurationError(f"{found!r} is not a subscription's id.")
    return found


def _none_found(reason: str = "") -> str:
    return (
        f"No Azure subscription{reason}. {how_to_log_in()} Or set $AZURE_SUBSCRIPTION_ID or "
        "c.AzureVMLauncher.subscription_id; or try c.AzureVMLauncher.endpoint = 'emulator', "
        "which needs no account."
    )


def _from_cli() -> str:
    """What `az account show` says; the Azure CLI may keep its profile elsewhere."""
    az = shutil.which("az")
    if az is None:
        return ""
    command = [az, "account", "show", "--query", "id", "--output", "tsv"]

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CLI_TIMEOUT_S,
            check=False,
        )

    waiting = f"Waiting for `az account show`: at most {CLI_TIMEOUT_S:.0f} s"
    try:
        done = within(CLI_TIMEOUT_S + 2, run, while_waiting=waiting)
    except (subprocess.TimeoutExpired, TimedOut) as error:
        hung = f": `az account show` did not answer within {CLI_TIMEOUT_S:.0f} s"
        raise ConfigurationError(_none_found(hung)) from error
    except OSError as error:
        reason = f": {az} can't be run ({error.strerror})"
        raise ConfigurationError(_none_found(reason)) from error
    return done.stdout.strip() if done.returncode == 0 else ""
