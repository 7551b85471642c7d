"""What an image is, and which VM sizes can boot it. Pure.

Azure refuses what doesn't fit, but only when the network has been made; its list of sizes and the
image's own description say it before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .vm_sizes import SizeOffer

TRUSTED_LAUNCH, CONFIDENTIAL = "TrustedLaunch", "ConfidentialVM"


@dataclass(frozen=True)
class Image:
    """What Azure says of an image; what is empty or 0 is not known, and not compared.

    `generation` is "V1" or "V2", `architecture` "x64" or "Arm64"; `size_gb` is the least size of an
    OS disk made of it; `security` is its feature SecurityType, such as "TrustedLaunchSupported";
    `purchase_plan` has the members that a request's `plan` has to have: name, publisher, product.
    """

    name: str = ""
    generation: str = ""
    architecture: str = ""
    size_gb: int = 0
    data_disks: int = 0
    disk_controllers: tuple[str, ...] = ()
    security: str = ""
    purchase_plan: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_confidential(self) -> bool:
        """Whether a confidential machine can be made of it."""
        return "confidentialvm" in self.security.lower()


NO_IMAGE = Image()


def security_type(image: Image, offer: SizeOffer) -> str:
    """The securityType that a machine of this size has to have, empty if Azure may choose."""
    if offer.is_confidential:
        return CONFIDENTIAL
    return TRUSTED_LAUNCH if image.security.lower() == TRUSTED_LAUNCH.lower() else ""


def misfit(image: Image, offer: SizeOffer, *, priority: str = "Regular") -> str:
    """Why machines of this size can't be made of the image, empty if they can for all we know.

    The answer goes on behind the size's name: "has Arm64 processors, and the image is for x64".
    """
    for reason in (
        _of_architecture(image, offer),
        _of_generation(image, offer),
        _of_security(image, offer),
        _of_disks(image, offer),
    ):
        if reason:
            return reason
    if priority == "Spot" and offer.says("LowPriorityCapable") == "false":
        return "can't be had as Spot"
    return ""


def _of_architecture(image: Image, offer: SizeOffer) -> str:
    theirs, its = offer.architecture, image.architecture
    if theirs and its and theirs.lower() != its.lower():
        return f"has {theirs} processors, and the image is for {its}"
    return ""


def _of_generation(image: Image, offer: SizeOffer) -> str:
    if offer.generations and image.generation and image.generation not in offer.generations:
        boots = " and ".join(item.removeprefix("V") for item in offer.generations)
        its = image.generation.removeprefix("V")
        return f"boots images of generation {boots}, and the image is of generation {its}"
    return ""


def _of_security(image: Image, offer: SizeOffer) -> str:
    if not image.architecture:  # nothing is known of it
        return ""
    if offer.is_confidential and not image.is_confidential:
        return "makes confidential machines only, and the image is not for these"
    wanted = image.security.lower()
    if wanted == CONFIDENTIAL.lower() and offer.capabilities and not offer.is_confidential:
        return "makes no confidential machines, and the image is for these only"
    if wanted == TRUSTED_LAUNCH.lower() and offer.says("TrustedLaunchDisabled") == "true":
        return "has no Trusted Launch, and the image needs it"
    return ""


def _of_disks(image: Image, offer: SizeOffer) -> str:
    theirs = offer.disk_controllers
    if theirs and image.disk_controllers and not set(theirs) & set(image.disk_controllers):
        its = " and ".join(item.upper() for item in image.disk_controllers)
        return f"has disks by {_controllers(theirs)} only, and the image knows {its} only"
    most = offer.says("MaxDataDiskCount")
    if most.isdigit() and image.data_disks > int(most):
        return f"takes {most} data disks at most, and the image has {image.data_disks}"
    return ""


def _controllers(names: Sequence[str]) -> str:
    return " and ".join("NVMe" if name == "nvme" else name.upper() for name in names)
