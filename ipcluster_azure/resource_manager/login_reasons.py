"""Why one kind of login or another failed, in a few words, from what azure-identity raises.

Its exceptions have many lines, of which the first never holds the cause.
"""

import os
import re
import signal
import subprocess
from dataclasses import dataclass

from .threads import TimedOut

CHOICE, WORKLOAD_TOKEN = "AZURE_TOKEN_CREDENTIALS", "AZURE_FEDERATED_TOKEN_FILE"
ENVIRONMENT, WORKLOAD, IDENTITY, AZ, POWERSHELL, AZD = (
    "environment variables",
    "workload identity",
    "managed identity",
    "az",
    "PowerShell",
    "azd",
)
KINDS = {  # azure-identity's classes -> what users call them
    "EnvironmentCredential": ENVIRONMENT,
    "WorkloadIdentityCredential": WORKLOAD,
    "FailedDACCredential": WORKLOAD,  # where there is none
    "ManagedIdentityCredential": IDENTITY,
    "SharedTokenCacheCredential": "Visual Studio",
    "VisualStudioCodeCredential": "VS Code",
    "AzureCliCredential": AZ,
    "AzurePowerShellCredential": POWERSHELL,
    "AzureDeveloperCliCredential": AZD,
    "BrokerCredential": "Windows' account broker",
}
PROGRAMS = (AZ, POWERSHELL, AZD)
NOT_LOGGED_IN = "not logged in"
LONGEST_CAUSE = 240
# what azure-identity says of a kind that isn't set up on this computer
ABSENT = re.compile(
    r"CLI not found|could not be found|is not installed|authentication unavailable|requires the "
    r"|is required to use|not supported|No accounts were found",
    re.IGNORECASE,
)
SECRET = re.compile(r"eyJ[\w.-]{20,}|[\w+=~.-]{60,}")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Failure:
    """What one kind of login said. `absent`: it isn't set up here; `command`: what it says to
    type."""

    kind: str
    cause: str
    absent: bool = False
    command: str = ""


def failure_of(kind: str, error: BaseException) -> Failure:
    """Say in a few words what an attempt to log in failed with."""
    text = str(getattr(error, "message", "") or error)
    run = error.__cause__
    if isinstance(error, TimedOut) or isinstance(run, subprocess.TimeoutExpired):
        return Failure(kind, "it did not answer in time")
    if isinstance(run, subprocess.CalledProcessError):
        return _of_program(kind, run, text)
    if text.startswith("Unexpected output"):  # not shown: there may be a token in it
        return Failure(kind, "its answer is not a token")
    if "Connect-AzAccount" in text:
        return Failure(kind, NOT_LOGGED_IN)
    if isinstance(error, OSError) and error.filename:
        return Failure(kind, _short(f"{error.strerror}: {error.filename}"))
    if isinstance(run, OSError) and text.startswith("Failed to execute"):
        return Failure(kind, _short(f"{text}: {run.strerror}"))
    special = {ENVIRONMENT: _of_environment, WORKLOAD: _of_workload, IDENTITY: _of_identity}
    found = special[kind](text) if kind in special else None
    return found or Failure(kind, _short(text), absent=ABSENT.search(text) is not None)


def _of_program(kind: str, run: subprocess.CalledProcessError, text: str) -> Failure:
    # of azd's, which is JSON, azure-identity has taken the message
    said = ESCAPES.sub("", text if kind == AZD else str(run.stderr or ""))
    typed = re.search(r"(?:^|`|')\s*(az(?:d auth)? login\b[^\r\n`']*)", said, re.MULTILINE)
    command = typed.group(1).strip() if typed else ""
    if run.returncode < 0:
        return Failure(kind, f"it was ended by {signal.Signals(-run.returncode).name}")
    if not said.strip():
        return Failure(kind, f"it ended with status {run.returncode} and said nothing")
    if "Please run 'az" in text or (kind == AZD and command):
        return Failure(kind, NOT_LOGGED_IN, command=command)
    return Failure(kind, _short(said), command=command)


def _of_environment(text: str) -> Failure | None:
    if "not fully configured" not in text:
        return None
    gaps = _gaps()
    return Failure(ENVIRONMENT, gaps or "not set", absent=not gaps)


def _of_workload(text: str) -> Failure | None:
    if not ABSENT.search(text):
        return None
    missing = _short(text.partition("Missing required arguments: ")[2])
    return Failure(WORKLOAD, f"there is no {missing}", absent=not os.environ.get(WORKLOAD_TOKEN))


def _of_identity(text: str) -> Failure | None:
    refused = re.search(r"(?:Token request error|No identity has been assigned).*", text)
    return Failure(IDENTITY, _short(refused.group())) if refused else None


def _gaps() -> str:
    """Which variables of a service principal are set, and which are missing; empty if none is."""
    if os.environ.get(WORKLOAD_TOKEN):  # some of them are meant for that
        return ""
    names = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET")
    certificate = "AZURE_CLIENT_CERTIFICATE_PATH"
    found = [name for name in (*names, certificate) if os.environ.get(name)]
    missing = [name for name in names if name not in found]
    if certificate in found and "AZURE_CLIENT_SECRET" in missing:
        missing.remove("AZURE_CLIENT_SECRET")
    if not found or not missing:
        return ""
    verb = "is" if len(found) == 1 else "are"
    return f"{' and '.join(found)} {verb} set, but not {' and '.join(missing)}"


def _short(text: str) -> str:
    """The cause in what a program or Azure says: one line, without secrets and identifiers."""
    text = SECRET.sub("...", ESCAPES.sub("", text))
    if found := re.search(r"AADSTS\d+[^\r\n]*", text):
        text = re.split(r" ?(?:Trace|Correlation) ID:| ?Timestamp:", found.group())[0]
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        lines = [line for line in lines if not line.startswith("WARNING")] or lines or [""]
        text = lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]
        text = re.sub(r"^(ERROR: |Authentication failed: )+", "", text)
    text = "".join(mark for mark in " ".join(text.split()) if mark.isprintable())
    return text[:LONGEST_CAUSE].rstrip(" .")
