"""The C library of a Marketplace image, by its name."""

import pytest

from ipcluster_azure.environment.glibc import OLDEST, glibc_of

from ..plans import settings


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (settings().image, (2, 39)),
        ("Canonical:ubuntu-24_04-lts:server-arm64:latest", (2, 39)),
        ("Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:latest", (2, 35)),
        ("Canonical:ubuntu-26_04-lts:server:latest", (2, 43)),
        ("Debian:debian-12:12-gen2:latest", (2, 36)),
        ("Debian:debian-13:13-gen2:0.20250811.2201", (2, 41)),
        ("RedHat:RHEL:9-lvm-gen2:latest", (2, 34)),
        ("RedHat:RHEL:810-gen2:latest", OLDEST),
        ("almalinux:almalinux-x86_64:9-gen2:9.4.2024050902", (2, 34)),
        ("almalinux:almalinux-x86_64:10-gen2:latest", (2, 39)),
        ("MicrosoftCBLMariner:azure-linux-3:azure-linux-3-gen2:latest", (2, 38)),
        ("somebody:something:else:1.0.0", OLDEST),
        ("/subscriptions/s/resourceGroups/debian-13/providers/x/images/debian-13", OLDEST),
    ],
)
def test_the_c_library_of_an_image(image: str, version: tuple[int, int]) -> None:
    assert glibc_of(image) == version
