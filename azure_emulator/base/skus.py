"""VM sizes: Azure's names, vCPUs, memory and quota families, unfolded from compact tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .messages import Json


@dataclass(frozen=True)
class Size:
    """One VM size; memory_gb as Azure counts it; flags: see SERIES."""

    name: str
    family: str
    vcpus: int
    memory_gb: float
    flags: str

    def has(self, flag: str) -> bool:
        return flag in self.flags


STEPS_64 = (2, 4, 8, 16, 32, 48, 64)
STEPS_96 = (*STEPS_64, 96)
STEPS_E = (2, 4, 8, 16, 20, 32, 48, 64)
STEPS_V6 = (2, 4, 8, 16, 32, 48, 64, 96, 128)

# name pattern, family, vCPUs, GB per vCPU, flags:
# P premium disks, L local disk, S spot, A accelerated networking, R Arm64, G GPU, I InfiniBand,
# 1 generation 1 only, 2 generation 2 only, N disks by NVMe only, C confidential machines only
SERIES: tuple[tuple[str, str, tuple[int, ...], float, str], ...] = (
    ("Standard_D{}_v3", "standardDv3Family", STEPS_64, 4, "LSA1"),
    ("Standard_D{}s_v3", "standardDSv3Family", STEPS_64, 4, "PLSA"),
    ("Standard_D{}_v4", "standardDv4Family", STEPS_64, 4, "SA"),
    ("Standard_D{}s_v4", "standardDSv4Family", STEPS_64, 4, "PSA"),
    ("Standard_D{}ds_v4", "standardDDSv4Family", STEPS_64, 4, "PLSA"),
    ("Standard_D{}a_v4", "standardDAv4Family", STEPS_96, 4, "LSA"),
    ("Standard_D{}as_v4", "standardDASv4Family", STEPS_96, 4, "PLSA"),
    ("Standard_D{}_v5", "standardDv5Family", STEPS_96, 4, "SA"),
    ("Standard_D{}s_v5", "standardDSv5Family", STEPS_96, 4, "PSA"),
    ("Standard_D{}ds_v5", "standardDDSv5Family", STEPS_96, 4, "PLSA"),
    ("Standard_D{}as_v5", "standardDASv5Family", STEPS_96, 4, "PSA"),
    ("Standard_D{}ads_v5", "standardDADSv5Family", STEPS_96, 4, "PLSA"),
    ("Standard_D{}ps_v5", "standardDPSv5Family", (2, 4, 8, 16, 32, 48, 64), 4, "PSAR2"),
    ("Standard_D{}s_v6", "StandardDsv6Family", STEPS_V6, 4, "PSA2N"),
    ("Standard_D{}ds_v6", "StandardDdsv6Family", STEPS_V6, 4, "PLSA2N"),
    ("Standard_D{}as_v6", "StandardDasv6Family", STEPS_96, 4, "PSA2N"),
    ("Standard_D{}ads_v6", "StandardDadsv6Family", STEPS_96, 4, "PLSA2N"),
    ("Standard_E{}s_v4", "standardESv4Family", STEPS_E[:-1], 8, "PSA"),
    ("Standard_E{}ds_v4", "standardEDSv4Family", STEPS_E[:-1], 8, "PLSA"),
    ("Standard_E{}as_v4", "standardEASv4Family", (2, 4, 8, 16, 20, 32, 48, 64), 8, "PLSA"),
    ("Standard_E{}s_v5", "standardESv5Family", STEPS_E, 8, "PSA"),
    ("Standard_E{}ds_v5", "standardEDSv5Family", STEPS_E, 8, "PLSA"),
    ("Standard_E{}as_v5", "standardEASv5Family", STEPS_E, 8, "PSA"),
    ("Standard_E{}s_v6", "StandardEsv6Family", STEPS_E, 8, "PSA2N"),
    ("Standard_E{}ds_v6", "StandardEdsv6Family", STEPS_E, 8, "PLSA2N"),
    ("Standard_DC{}as_v5", "standardDCASv5Family", STEPS_96, 4, "PSAC2"),
    ("Standard_F{}s_v2", "standardFSv2Family", (2, 4, 8, 16, 32, 48, 64, 72), 2, "PLSA"),
)

# Sizes whose memory follows no rule.
SINGLE: tuple[tuple[str, str, int, float, str], ...] = (
    ("Basic_A0", "basicAFamily", 1, 0.75, "L1"),
    ("Basic_A1", "basicAFamily", 1, 1.75, "L1"),
    ("Basic_A2", "basicAFamily", 2, 3.5, "L1"),
    ("Standard_A0", "standardA0_A7Family", 1, 0.75, "LS1"),
    ("Standard_A1", "standardA0_A7Family", 1, 1.75, "LS1"),
    ("Standard_A2", "standardA0_A7Family", 2, 3.5, "LS1"),
    ("Standard_A3", "standardA0_A7Family", 4, 7, "LS1"),
    ("Standard_A1_v2", "standardAv2Family", 1, 2, "LS1"),
    ("Standard_A2_v2", "standardAv2Family", 2, 4, "LS1"),
    ("Standard_D1", "standardDFamily", 1, 3.5, "LS1"),
    ("Standard_D2", "standardDFamily", 2, 7, "LS1"),
    ("Standard_D3", "standardDFamily", 4, 14, "LS1"),
    ("Standard_D4", "standardDFamily", 8, 28, "LS1"),
    ("Standard_D1_v2", "standardDv2Family", 1, 3.5, "LS1"),
    ("Standard_D2_v2", "standardDv2Family", 2, 7, "LSA1"),
    ("Standard_D3_v2", "standardDv2Family", 4, 14, "LSA1"),
    ("Standard_D4_v2", "standardDv2Family", 8, 28, "LSA1"),
    ("Standard_D5_v2", "standardDv2Family", 16, 56, "LSA1"),
    ("Standard_D15_v2", "standardDv2Family", 20, 140, "LSA1"),
    ("Standard_DS1_v2", "standardDSv2Family", 1, 3.5, "PLS"),
    ("Standard_DS2_v2", "standardDSv2Family", 2, 7, "PLSA"),
    ("Standard_DS3_v2", "standardDSv2Family", 4, 14, "PLSA"),
    ("Standard_DS4_v2", "standardDSv2Family", 8, 28, "PLSA"),
    ("Standard_DS5_v2", "standardDSv2Family", 16, 56, "PLSA"),
    ("Standard_E2s_v3", "standardESv3Family", 2, 16, "PLSA"),
    ("Standard_E4s_v3", "standardESv3Family", 4, 32, "PLSA"),
    ("Standard_E8s_v3", "standardESv3Family", 8, 64, "PLSA"),
    ("Standard_F2s", "standardFSFamily", 2, 4, "PLSA"),
    ("Standard_F4s", "standardFSFamily", 4, 8, "PLSA"),
    ("Standard_B1ls", "standardBSFamily", 1, 0.5, "PL"),
    ("Standard_B1s", "standardBSFamily", 1, 1, "PL"),
    ("Standard_B1ms", "standardBSFamily", 1, 2, "PL"),
    ("Standard_B2s", "standardBSFamily", 2, 4, "PL"),
    ("Standard_B2ms", "standardBSFamily", 2, 8, "PL"),
    ("Standard_B4ms", "standardBSFamily", 4, 16, "PL"),
    ("Standard_B8ms", "standardBSFamily", 8, 32, "PL"),
    ("Standard_B16ms", "standardBSFamily", 16, 64, "PL"),
    ("Standard_B2ts_v2", "standardBsv2Family", 2, 1, "PA"),
    ("Standard_B2ls_v2", "standardBsv2Family", 2, 4, "PA"),
    ("Standard_B2s_v2", "standardBsv2Family", 2, 8, "PA"),
    ("Standard_B4s_v2", "standardBsv2Family", 4, 16, "PA"),
    ("Standard_B8s_v2", "standardBsv2Family", 8, 32, "PA"),
    ("Standard_B16s_v2", "standardBsv2Family", 16, 64, "PA"),
    ("Standard_B32s_v2", "standardBsv2Family", 32, 128, "PA"),
    ("Standard_E64s_v4", "standardESv4Family", 64, 504, "PSA"),
    ("Standard_E64ds_v4", "standardEDSv4Family", 64, 504, "PLSA"),
    ("Standard_E96s_v5", "standardESv5Family", 96, 672, "PSA"),
    ("Standard_E96as_v5", "standardEASv5Family", 96, 672, "PSA"),
    ("Standard_NC6s_v3", "standardNCSv3Family", 6, 112, "PLSG"),
    ("Standard_NC12s_v3", "standardNCSv3Family", 12, 224, "PLSG"),
    ("Standard_NC24s_v3", "standardNCSv3Family", 24, 448, "PLSG"),
    ("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 28, "PLSAG"),
    ("Standard_NC8as_T4_v3", "Standard NCASv3_T4 Family", 8, 56, "PLSAG"),
    ("Standard_NC16as_T4_v3", "Standard NCASv3_T4 Family", 16, 110, "PLSAG"),
    ("Standard_NC64as_T4_v3", "Standard NCASv3_T4 Family", 64, 440, "PLSAG"),
    ("Standard_NC24ads_A100_v4", "StandardNCADSA100v4Family", 24, 220, "PLSAG2"),
    ("Standard_NC48ads_A100_v4", "StandardNCADSA100v4Family", 48, 440, "PLSAG2"),
    ("Standard_NC96ads_A100_v4", "StandardNCADSA100v4Family", 96, 880, "PLSAG2"),
    ("Standard_HC44rs", "standardHCSFamily", 44, 352, "PLSAI"),
    ("Standard_HB60rs", "standardHBSFamily", 60, 228, "PLSAI"),
    ("Standard_HB120rs_v2", "standardHBrsv2Family", 120, 456, "PLSAI"),
    ("Standard_HB120rs_v3", "standardHBv3Family", 120, 448, "PLSAI"),
    ("Standard_HB176rs_v4", "standardHBv4Family", 176, 768, "PLSAI2"),
)

GPUS = {
    "Standard_NC6s_v3": 1,
    "Standard_NC12s_v3": 2,
    "Standard_NC24s_v3": 4,
    "Standard_NC4as_T4_v3": 1,
    "Standard_NC8as_T4_v3": 1,
    "Standard_NC16as_T4_v3": 1,
    "Standard_NC64as_T4_v3": 4,
    "Standard_NC24ads_A100_v4": 1,
    "Standard_NC48ads_A100_v4": 2,
    "Standard_NC96ads_A100_v4": 4,
}


def _unfold() -> Iterator[Size]:
    for pattern, family, steps, ratio, flags in SERIES:
        for vcpus in steps:
            yield Size(pattern.format(vcpus), family, vcpus, vcpus * ratio, flags)
    for single in SINGLE:
        yield Size(*single)


SIZES: dict[str, Size] = {size.name.lower(): size for size in _unfold()}
FAMILIES: list[str] = sorted({size.family for size in SIZES.values()}, key=str.lower)


def find(name: object) -> Size | None:
    return SIZES.get(name.lower()) if isinstance(name, str) else None


def size_entry(size: Size) -> Json:
    """Return the size's entry in the lists named vmSizes."""
    return {
        "name": size.name,
        "numberOfCores": size.vcpus,
        "osDiskSizeInMB": 1_047_552,
        "resourceDiskSizeInMB": local_disk_gb(size) * 1024,
        "memoryInMB": int(size.memory_gb * 1024),
        "maxDataDiskCount": max_data_disks(size),
    }


def architecture(size: Size) -> str:
    return "Arm64" if size.has("R") else "x64"


def generations(size: Size) -> tuple[str, ...]:
    """Return which Hyper-V generations of images a size boots."""
    if size.has("1"):
        return ("V1",)
    return ("V2",) if size.has("2") else ("V1", "V2")


def disk_controller(size: Size) -> str:
    return "NVMe" if size.has("N") else "SCSI"


def local_disk_gb(size: Size) -> int:
    return size.vcpus * 8 if size.has("L") else 0


def max_data_disks(size: Size) -> int:
    return min(64, max(4, 4 * size.vcpus))


def resource_sku(
    size: Size, location: str, zones: Sequence[str], restrictions: Sequence[Json]
) -> Json:
    """Return the size's entry in Microsoft.Compute/skus, where capabilities are strings."""
    capabilities = {
        "MaxResourceVolumeMB": str(local_disk_gb(size) * 1024),
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(size.vcpus),
        "MemoryPreservingMaintenanceSupported": "True",
        "HyperVGenerations": ",".join(generations(size)),
        "SupportedEphemeralOSDiskPlacements": "ResourceDisk,CacheDisk" if size.has("L") else "",
        "MemoryGB": f"{size.memory_gb:g}",
        "MaxDataDiskCount": str(max_data_disks(size)),
        "CpuArchitectureType": architecture(size),
        "LowPriorityCapable": str(size.has("S")),
        "PremiumIO": str(size.has("P")),
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": str(size.vcpus),
        "GPUs": str(GPUS.get(size.name, 0)) if size.has("G") else "",
        "vCPUsPerCore": "1" if size.has("R") or size.has("I") else "2",
        "EphemeralOSDiskSupported": str(size.has("L")),
        "EncryptionAtHostSupported": "True",
        "AcceleratedNetworkingEnabled": str(size.has("A")),
        "RdmaEnabled": str(size.has("I")),
        "MaxNetworkInterfaces": str(min(8, max(2, size.vcpus // 4))),
        "DiskControllerTypes": disk_controller(size),
        "TrustedLaunchDisabled": "True" if size.has("R") else "",
        "ConfidentialComputingType": "SNP" if size.has("C") else "",
    }
    prefix, _, rest = size.name.partition("_")
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": prefix,
        "size": rest,
        "family": size.family,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": list(zones), "zoneDetails": []}],
        "capabilities": [
            {"name": name, "value": value} for name, value in capabilities.items() if value
        ],
        "restrictions": list(restrictions),
    }
