"""What to tell a user whom no login to Azure was found for: what was tried, and what to type."""

import os
import re
import shutil
from collections.abc import Sequence

from .login_reasons import (
    AZ,
    AZD,
    CHOICE,
    ENVIRONMENT,
    IDENTITY,
    NOT_LOGGED_IN,
    POWERSHELL,
    WORKLOAD,
    WORKLOAD_TOKEN,
    Failure,
)

GUIDE = "the how-to page 'Log in to Azure'"
GET_AZ = "https://learn.microsoft.com/cli/azure/install-azure-cli"
LOGINS = {AZ: "az login", POWERSHELL: "Connect-AzAccount", AZD: "azd auth login"}
CORRECTIONS = {
    CHOICE: f"correct {CHOICE}, or unset it",
    ENVIRONMENT: "correct these variables, or unset them all to be logged in by another way",
    WORKLOAD: f"correct {WORKLOAD_TOKEN}, AZURE_CLIENT_ID and AZURE_TENANT_ID",
    IDENTITY: "give this machine an identity, or set AZURE_CLIENT_ID to that of one it has",
}
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
FORBIDDEN = re.compile(r"AADSTS5300\d")
OFFLINE = re.compile(r"HTTPS?Connection|Failed to resolve|Max retries exceeded|Connection reset")


def how_to_log_in() -> str:
    """What to type to log in, as far as this computer has what that takes."""
    if shutil.which("az"):
        return "Run `az login`."
    return (
        f"Run `az login` once the Azure CLI is installed ({GET_AZ}), or set AZURE_TENANT_ID, "
        f"AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; see {GUIDE}."
    )


def explained(failures: Sequence[Failure], not_asked: Sequence[str] = ()) -> str:
    """What was tried, what each kind of login said, and what to type."""
    told = [item for item in failures if not item.absent]
    absent = [item.kind for item in failures if item.absent]
    parts = ["Not logged in to Azure.", *(f"{item.kind}: {item.cause}." for item in told)]
    if absent:
        parts.append(f"Not set up here: {', '.join(absent)}.")
    if not_asked:
        parts.append(f"Not asked after that: {', '.join(not_asked)}.")
    if choice := os.environ.get(CHOICE):
        parts.append(f"{CHOICE} is {choice}: nothing else is tried until you unset it.")
    return " ".join([*parts, _advice(told)])


def _advice(told: Sequence[Failure]) -> str:
    causes = " ".join(item.cause for item in told)
    if FORBIDDEN.search(causes):
        return (
            "Your organisation's conditional access forbids this login: ask its administrator, or "
            "log in from a computer and a network that it allows."
        )
    if OFFLINE.search(causes):
        return "Check the network and the proxy settings."
    advices = [f"run {_command(item)}" for item in told if item.kind in LOGINS]
    advices += [CORRECTIONS[item.kind] for item in told if item.kind in CORRECTIONS]
    if not advices:
        return how_to_log_in()
    text = "; or ".join(dict.fromkeys(advices))
    return f"{text[0].upper()}{text[1:]}; see {GUIDE}."


def _command(failure: Failure) -> str:
    """What to type after the failure of a program."""
    login = failure.command or LOGINS[failure.kind]
    if failure.kind != AZ or NOT_LOGGED_IN in failure.cause or "AADSTS" in failure.cause:
        return f"`{login}`"
    return f"`az account get-access-token` to see what is wrong with `az`, or `{login}`"
