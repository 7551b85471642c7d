"""Azure's rules for names."""

from __future__ import annotations

import re

from . import errors

NETWORK_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?")
COMPUTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}(?<![-.])")
GROUP_NAME = re.compile(r"[\w.()-]{1,90}", re.UNICODE)
ADMIN_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
FORBIDDEN_ADMINS = {
    *("administrator", "admin", "user", "user1", "test", "user2", "test1", "user3", "admin1", "1"),
    *("123", "a", "actuser", "adm", "admin2", "aspnet", "backup", "console", "david", "guest"),
    *("john", "owner", "root", "server", "sql", "support", "support_388945a0", "sys", "test2"),
    *("test3", "user4", "user5"),
}


def check_group(name: str) -> None:
    if len(name) > 90 or name.endswith("."):
        raise errors.ArmError(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}' is longer than 90 characters or ends with "
            "a period.",
            headers=errors.GATEWAY,
        )
    if not GROUP_NAME.fullmatch(name):
        wrong = "".join(sorted({letter for letter in name if not re.match(r"[\w.()-]", letter)}))
        raise errors.ArmError(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}' has these invalid characters: '{wrong}'. "
            "The name can only be a letter, digit, '-', '.', '(', ')' or '_'.",
            headers=errors.GATEWAY,
        )


def check_network(name: str) -> None:
    if not NETWORK_NAME.fullmatch(name):
        raise errors.ArmError(
            400,
            "InvalidResourceName",
            f"Resource name {name} is invalid. The name can be up to 80 characters long. It must "
            "begin with a word character, and it must end with a word character or with '_'. The "
            "name may contain word characters or '.', '-', '_'.",
        )


def check_identity(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}", name):
        raise errors.ArmError(
            400,
            "InvalidResourceName",
            f"The name '{name}' of the identity is not valid: it must have 3 to 128 characters, "
            "begin with a letter or digit, and may contain letters, digits, '-' and '_'.",
        )


def check_machine(name: str, *, longest: int = 64) -> None:
    if not COMPUTE_NAME.fullmatch(name) or len(name) > longest:
        raise errors.invalid_parameter(
            "name",
            f"The entity name '{name}' is invalid according to its validation rule: "
            "^[^_\\W][\\w-._]{0,79}(?<![-.])$.",
        )


def check_computer(name: str) -> None:
    if len(name) > 64 or not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", name):
        raise errors.invalid_parameter(
            "computerName",
            "Linux host name cannot exceed 64 characters in length or contain the following "
            "characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\\\ | ; : ' \\\" , < > / ?.",
        )


def check_admin(name: str) -> None:
    if name.lower() in FORBIDDEN_ADMINS:
        raise errors.invalid_parameter(
            "adminUsername", "The Admin Username specified is not allowed."
        )
    if not ADMIN_NAME.fullmatch(name.lower()):
        raise errors.invalid_parameter(
            "adminUsername",
            "The Admin Username specified is invalid: 1 to 32 letters, digits, '-' or '_', and "
            "not a digit first.",
        )


def check_different(given: list[str], owner: str) -> None:
    """Refuse parts of a network resource, such as subnets, of which two have one name."""
    seen: set[str] = set()
    for name in given:
        if name.lower() in seen:
            message = f"Resource {owner} has two child resources with the same name ({name})."
            detail = {"code": "DuplicateResourceName", "message": message, "details": []}
            raise errors.ArmError(
                400, "InvalidRequestFormat", "Cannot parse the request.", details=[detail]
            )
        seen.add(name.lower())
