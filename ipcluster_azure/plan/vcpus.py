"""How many vCPUs a VM size has by its name, where Azure can't be asked. Pure.

Names have the number behind the letters of the family, and that of sizes with fewer vCPUs behind a
hyphen: https://learn.microsoft.com/azure/virtual-machines/vm-naming-conventions. The oldest sizes
are numbered otherwise.
"""

import re

from ..errors import ConfigurationError

NAME = re.compile(r"(?:standard_)?([a-z]+)(\d+)(?:-(\d+))?[a-z]*(?:_.*)?", re.IGNORECASE)
NUMBERED = re.compile(r"(?:standard_|basic_)?(?:ds?\d+(?:_v2|_promo)?|gs?\d+|a\d+)", re.IGNORECASE)


def full_name(size: str) -> str:
    """Return the name as Azure wants it: settings may leave out its beginning."""
    is_full = size.lower().startswith(("standard_", "basic_"))
    return size if is_full else f"Standard_{size}"


def vcpus_of(size: str) -> int:
    """Return the number of vCPUs of a size. Raises ConfigurationError if its name doesn't say."""
    match = NAME.fullmatch(size)
    if match is None or NUMBERED.fullmatch(size):
        raise ConfigurationError(
            f"The name of VM size {size} does not say how many vCPUs it has, and Azure is not "
            "asked for a job file. Set c.AzureVMEngineSetLauncher.engines_per_vm, or take another "
            "size."
        )
    return int(match[3] or match[2])
