"""VM sizes: what Azure says of one, and one as a plan takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CAPABILITIES = (
    *("CpuArchitectureType", "HyperVGenerations", "LowPriorityCapable", "MaxDataDiskCount"),
    *("DiskControllerTypes", "TrustedLaunchDisabled", "ConfidentialComputingType"),
    *("PremiumIO", "EphemeralOSDiskSupported", "CachedDiskBytes", "MaxResourceVolumeMB"),
    *("NvmeDiskSizeInMiB", "EncryptionAtHostSupported", "AcceleratedNetworkingEnabled"),
)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


@dataclass(frozen=True)
class SizeOffer:
    """What the subscription may do with a VM size in a location; `refused` says why not to use it.

    `family` is the name of its quota; `zones` are those that it may be used in; `name` is the
    size's in Azure's spelling; `capabilities` are Azure's words for what it can do, of those in
    CAPABILITIES; `gpus` is how many graphics processors it has. What Azure doesn't say is empty.
    """

    vcpus: int
    refused: str = ""
    family: str = ""
    zones: Sequence[str] = ()
    name: str = ""
    capabilities: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 0

    def says(self, capability: str) -> str:
        """What Azure says of a capability, in lower case."""
        return self.capabilities.get(capability, "").lower()

    @property
    def architecture(self) -> str:
        return self.capabilities.get("CpuArchitectureType", "")

    @property
    def generations(self) -> list[str]:
        """The generations of images that it boots, "V1" or "V2"."""
        return _words(self.says("HyperVGenerations").upper())

    @property
    def disk_controllers(self) -> list[str]:
        """What its disks may be connected by, "scsi" or "nvme"."""
        return _words(self.says("DiskControllerTypes"))

    @property
    def is_confidential(self) -> bool:
        """Whether it makes confidential machines: then it makes no others."""
        return bool(self.says("ConfidentialComputingType"))


@dataclass(frozen=True)
class VmSize:
    """A VM size as the subscription may use it in one location.

    `family` is the name of its quota, `zone` the availability zone; empty: Azure chooses.
    `security_type` is what its machines must be with the image that is set, such as
    "TrustedLaunch"; empty: Azure chooses.
    """

    name: str
    vcpus: int
    family: str = ""
    zone: str = ""
    security_type: str = ""
    gpus: int = 0

    def engines(self, engines_per_vm: int) -> int:
        """How many engines a machine runs; `engines_per_vm` is the setting, 0 if not given."""
        return engines_per_vm or self.gpus or self.vcpus

    def __str__(self) -> str:
        return f"{self.name} in zone {self.zone}" if self.zone else self.name
