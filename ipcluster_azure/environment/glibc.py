"""Which version of the C library a machine's image has: it says what wheels can be loaded there.

Marketplace images are known by their names; the versions are those that the distributions' own
package lists give. For an image of which nothing is known it is the version that most wheels of
today are built for, which all distributions since 2019 have.
"""

import re

OLDEST = (2, 28)
BY_NAME = [  # a pattern of publisher:offer:sku in lower case, and what that release has
    (r"ubuntu.*26[_.-]04", (2, 43)),
    (r"ubuntu.*25[_.-]10", (2, 42)),
    (r"ubuntu.*(24[_.-]04|noble)", (2, 39)),
    (r"ubuntu.*(22[_.-]04|jammy)", (2, 35)),
    (r"ubuntu.*(20[_.-]04|focal)", (2, 31)),
    (r"debian[:-]?.*\b13\b", (2, 41)),
    (r"debian[:-]?.*\b12\b", (2, 36)),
    (r"debian[:-]?.*\b11\b", (2, 31)),
    (r"(rhel|almalinux|rockylinux|oracle-linux|centos).*[:_-](ol|lvm)?10", (2, 39)),
    (r"(rhel|almalinux|rockylinux|oracle-linux|centos).*[:_-](ol|lvm)?9", (2, 34)),
    (r"(azure-linux|azurelinux).*3", (2, 38)),
    (r"sles.*15-?sp[67]", (2, 38)),
]


def glibc_of(image: str) -> tuple[int, int]:
    """Return the version of the C library of an image, which is named as in the settings."""
    name = image.lower()
    for pattern, version in BY_NAME:
        if not name.startswith("/") and re.search(pattern, name):
            return version
    return OLDEST
