"""The osProfile of a request checked and completed: what is refused, filled in, kept secret."""

from __future__ import annotations

import base64
import binascii
import re

from ..base import errors, names
from ..base.messages import Json
from ..guest import ssh_keys

SECRET = ("customData", "adminPassword")  # never shown
CUSTOM_DATA_LIMIT = 65_535
LONGEST_WINDOWS_NAME, LONGEST_LINUX_NAME = 15, 64
# (shortest, longest) password
PASSWORD_LENGTHS = {"Linux": (6, 72), "Windows": (8, 123)}


def split(profile: Json | None, *, windows: bool) -> tuple[Json, Json]:
    """Check and complete an osProfile; return (what is shown, what stays hidden).

    The computer's name is left to the caller.
    """
    if profile is None:
        raise errors.missing_parameter("osProfile")
    if not profile.get("adminUsername"):
        raise errors.missing_parameter("adminUsername")
    wrong, right = ("linux", "Windows") if windows else ("windows", "Linux")
    if f"{wrong}Configuration" in profile:
        raise errors.invalid_parameter(
            f"{wrong}Configuration", f"The image is one of {right}: '{wrong}Configuration' is not."
        )
    names.check_admin(profile["adminUsername"])
    _check_login(profile, windows)
    if profile.get("customData"):
        decode_custom_data(profile["customData"])
    hidden = {name: profile[name] for name in SECRET if name in profile}
    shown = {name: value for name, value in profile.items() if name not in SECRET}
    if windows:
        shown["windowsConfiguration"] = _windows(shown.get("windowsConfiguration") or {})
    else:
        shown["linuxConfiguration"] = _linux(shown.get("linuxConfiguration") or {})
    shown.setdefault("secrets", [])
    shown.setdefault("allowExtensionOperations", True)
    shown.setdefault("requireGuestProvisionSignal", True)
    return shown, hidden


def _linux(given: Json) -> Json:
    patches = {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"}
    return {
        "disablePasswordAuthentication": False,
        **given,
        "provisionVMAgent": given.get("provisionVMAgent", True),
        "patchSettings": {**patches, **(given.get("patchSettings") or {})},
    }


def _windows(given: Json) -> Json:
    patches = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
    return {
        "provisionVMAgent": True,
        "enableAutomaticUpdates": True,
        **given,
        "patchSettings": {**patches, **(given.get("patchSettings") or {})},
    }


def _check_login(profile: Json, windows: bool) -> None:
    linux = profile.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or []
    password = profile.get("adminPassword")
    if linux.get("disablePasswordAuthentication"):
        # A password beside it is taken and of no use: Ray's and SkyPilot's templates give one.
        if not keys:
            raise errors.invalid_parameter(
                "linuxConfiguration",
                "Authentication using either SSH or by user name and password must be enabled in "
                "Linux profile.",
            )
    elif not password:
        raise errors.missing_parameter("adminPassword")
    else:
        _check_password(password, "Windows" if windows else "Linux")
    for key in keys:
        _check_key(key, profile["adminUsername"])


def _check_password(password: str, system: str) -> None:
    """Check the password's length alone.

    Recordings have their passwords replaced, so Azure's other rules can't be compared.
    """
    shortest, longest = PASSWORD_LENGTHS[system]
    if not shortest <= len(password) <= longest:
        raise errors.invalid_parameter(
            "adminPassword",
            f"The supplied password must be between {shortest}-{longest} characters long and must "
            "satisfy at least 3 of password complexity requirements from the following:\r\n"
            "1) Contains an uppercase character\r\n2) Contains a lowercase character\r\n"
            "3) Contains a numeric digit\r\n4) Contains a special character\r\n"
            "5) Control characters are not allowed",
        )


def _check_key(key: Json, user: str) -> None:
    wanted = f"/home/{user}/.ssh/authorized_keys"
    if key.get("path") not in (None, wanted):
        raise errors.invalid_parameter(
            "linuxConfiguration.ssh.publicKeys.path",
            "Destination path for SSH public keys is currently limited to its default value "
            f"{wanted}  due to a known issue in Linux provisioning agent.",
        )
    if not ssh_keys.is_accepted(key.get("keyData")):
        raise errors.invalid_parameter(
            "linuxConfiguration.ssh.publicKeys.keyData",
            "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
        )


def decode_custom_data(text: str) -> bytes:
    try:
        data = base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or len(data) > CUSTOM_DATA_LIMIT:
        raise errors.invalid_parameter(
            "customData",
            "Custom data in OSProfile must be in Base64 encoding and with a maximum length of "
            "87380 characters.",
        )
    return data


def check_user_data(text: str) -> None:
    """Refuse userData that is too long or not Base64. Unlike customData it can be changed."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or len(data) > CUSTOM_DATA_LIMIT:
        raise errors.invalid_parameter(
            "userData",
            "User data must be in Base64 encoding and with a maximum length of 87380 characters.",
        )


def check_computer(name: str, *, windows: bool) -> None:
    names.check_computer(name)
    if windows and (len(name) > LONGEST_WINDOWS_NAME or name.isdigit()):
        raise errors.invalid_parameter(
            "computerName",
            "Windows computer name cannot be more than 15 characters long, be entirely numeric, "
            "or contain the following characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\\\ | ; : "
            ". ' \\\" , < > / ?.",
        )


def check_prefix(prefix: str, *, windows: bool) -> None:
    """Refuse what a scale set's computers' names can't begin with: six characters follow."""
    longest = (LONGEST_WINDOWS_NAME if windows else LONGEST_LINUX_NAME) - 6
    if len(prefix) > longest or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", prefix):
        raise errors.invalid_parameter(
            "computerNamePrefix",
            f"The value '{prefix}' of parameter 'computerNamePrefix' is invalid: it has 1 to "
            f"{longest} letters, digits and '-', and begins with a letter or digit.",
        )
