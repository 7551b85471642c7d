"""Boot diagnostics in managed storage: the serial log of a machine, at a URL that is a secret.

Azure's URLs lead to a storage account of its own, ours to this server. Of the screen there is no
picture here: its URL leads to no blob.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse
from ..base.resource_types import VM
from ..base.store import Resource
from ..state import Emulator

PREFIX = "/bootdiagnostics-"
SERIAL_LOG, SCREENSHOT = "serialconsole.log", "screenshot.bmp"
DEFAULT_MINUTES, MOST_MINUTES = 120, 1440  # of a URL's validity, as the SDK documents them
SERVICE_VERSION = "2018-03-28"


def retrieve(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer POST .../retrieveBootDiagnosticsData."""
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    boot = (vm.properties.get("diagnosticsProfile") or {}).get("bootDiagnostics") or {}
    if not boot.get("enabled"):  # unverified: what Azure says then
        raise errors.operation_not_allowed(
            f"Boot diagnostics is not enabled for the VM '{vm.name}'."
        )
    expires = em.clock.now() + timedelta(minutes=_minutes(request))
    return ArmResponse(
        200,
        {
            "consoleScreenshotBlobUri": _url(em, request.base_url, vm, SCREENSHOT, expires),
            "serialConsoleLogBlobUri": _url(em, request.base_url, vm, SERIAL_LOG, expires),
        },
    )


def _minutes(request: ArmRequest) -> int:
    given = request.query.get("sasuriexpirationtimeinminutes", str(DEFAULT_MINUTES))
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given) <= MOST_MINUTES:
        raise errors.ArmError(  # unverified: the words
            400,
            "InvalidParameter",
            "The value of parameter sasUriExpirationTimeInMinutes is invalid: it must be between 1 "
            f"and {MOST_MINUTES}.",
        )
    return int(given)


def _url(em: Emulator, base_url: str, vm: Resource, kind: str, expires: datetime) -> str:
    vm_id = vm.properties["vmId"]
    label = "".join(letter for letter in vm.name.lower() if letter.isalnum())[:9]
    path = f"{PREFIX}{label}-{vm_id}/{vm.name}.{vm_id}.{kind}"
    end = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    sas = {"sv": SERVICE_VERSION, "sr": "b", "se": end, "sp": "r", "sig": _signature(em, path, end)}
    return f"{base_url}{path}?{urlencode(sas)}"


def _signature(em: Emulator, path: str, end: str) -> str:
    return hmac.new(em.blob_key, f"{path}\n{end}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class BlobRefused(Exception):
    """Why a blob can't be read, in the words of Azure's storage."""

    status: int
    code: str
    message: str


def read_blob(em: Emulator, path: str, end: str, signature: str) -> bytes:
    """Return what a URL leads to; raises BlobRefused if it is none of ours, too old, or empty."""
    if not hmac.compare_digest(signature.encode(), _signature(em, path, end).encode()):
        raise BlobRefused(403, "AuthenticationFailed", "Server failed to authenticate the request.")
    if end <= em.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"):
        raise BlobRefused(403, "AuthenticationFailed", "Signature not valid in the specified time.")
    name = path.rpartition("/")[2]
    vm_id = name.removesuffix(f".{SERIAL_LOG}")[-36:]
    data = em.machines.serial_log(vm_id) if name.endswith(SERIAL_LOG) else None
    if data is None:
        raise BlobRefused(404, "BlobNotFound", "The specified blob does not exist.")
    return data
