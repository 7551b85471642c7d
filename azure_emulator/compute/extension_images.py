"""The extensions that a region offers: publishers' types, and the versions of each."""

from __future__ import annotations

from ..base.errors import ArmError
from ..base.messages import ArmRequest, ArmResponse, Json
from ..state import Emulator

# publisher -> type -> (operating system, versions)
TYPES: dict[str, dict[str, tuple[str, str]]] = {
    "Microsoft.Azure.Extensions": {"CustomScript": ("Linux", "2.0.7 2.1.6 2.1.10 2.1.13")},
    "Microsoft.Compute": {"CustomScriptExtension": ("Windows", "1.9.5 1.10.15 1.10.20")},
    "Microsoft.Azure.Security": {
        "AzureDiskEncryptionForLinux": ("Linux", "1.1.0.52 1.4.0.7"),
        "AzureDiskEncryption": ("Windows", "2.2.0.48 2.4.0.9"),
    },
    "Microsoft.OSTCExtensions": {"VMAccessForLinux": ("Linux", "1.5.16 1.5.21")},
}


def _publisher(request: ArmRequest) -> dict[str, tuple[str, str]]:
    wanted = request.params["publisher"].lower()
    return next((types for name, types in TYPES.items() if name.lower() == wanted), {})


def _versions(request: ArmRequest) -> tuple[str, list[str]]:
    """Return the system of the path's type, and its versions; raises 404."""
    for name, (system, versions) in _publisher(request).items():
        if name.lower() == request.params["type"].lower():
            return system, versions.split()
    raise _not_found(request, "type")


def _not_found(request: ArmRequest, part: str) -> ArmError:
    return ArmError(
        404,
        "ArtifactNotFound",
        "The VM extension with publisher "
        f"'{request.params['publisher']}' and {part} '{request.params[part]}' could not be found "
        f"in the extension repository for location '{request.params['location']}'.",
    )


def _entry(request: ArmRequest, *names: str) -> Json:
    location = request.params["location"]
    path = "/".join(("Publishers", request.params["publisher"], "ArtifactTypes", "VMExtension"))
    types = [f"Types/{names[0]}", *(f"Versions/{name}" for name in names[1:])]
    identifier = (
        f"/Subscriptions/{request.params['subscription']}/Providers/Microsoft.Compute/Locations/"
        f"{location}/{path}/{'/'.join(types)}"
    )
    return {"location": location, "name": names[-1], "id": identifier}


def list_types(em: Emulator, request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, [_entry(request, name) for name in _publisher(request)])


def list_versions(em: Emulator, request: ArmRequest) -> ArmResponse:
    _, versions = _versions(request)
    kind = request.params["type"]
    wanted = request.query.get("$filter", "")
    prefix = wanted.partition("startswith(name,")[2].strip(" ')")
    found = [name for name in versions if name.startswith(prefix)]
    top = request.query.get("$top", "")
    return ArmResponse(
        200,
        [_entry(request, kind, name) for name in found][: int(top) if top.isdecimal() else None],
    )


def get_version(em: Emulator, request: ArmRequest) -> ArmResponse:
    system, versions = _versions(request)
    if request.params["version"] not in versions:
        raise _not_found(request, "version")
    entry = _entry(request, request.params["type"], request.params["version"])
    properties = {
        "operatingSystem": system,
        "computeRole": "IaaS",
        "handlerSchema": None,
        "vmScaleSetEnabled": True,
        "supportsMultipleExtensions": False,
    }
    return ArmResponse(200, {**entry, "properties": properties})
