"""What Azure says of a VM size, as checks and plans read it."""

import pytest

from ipcluster_azure.plan.vm_sizes import SizeOffer, VmSize

ARM = {
    "CpuArchitectureType": "Arm64",
    "HyperVGenerations": "V2",
    "DiskControllerTypes": "NVMe, SCSI,",
    "ConfidentialComputingType": "",
}


def test_what_a_size_can_do_is_in_azures_words() -> None:
    arm = SizeOffer(4, capabilities=ARM)
    assert arm.architecture == "Arm64"
    assert arm.says("HyperVGenerations") == "v2"
    assert arm.generations == ["V2"]
    assert SizeOffer(4, capabilities={"HyperVGenerations": "v1, V2"}).generations == ["V1", "V2"]
    assert arm.disk_controllers == ["nvme", "scsi"]
    assert not arm.is_confidential
    assert SizeOffer(4, capabilities={"ConfidentialComputingType": "SNP"}).is_confidential


def test_of_what_azure_does_not_say_nothing_is_known() -> None:
    silent = SizeOffer(4)
    assert (silent.architecture, silent.says("HyperVGenerations")) == ("", "")
    assert silent.generations == silent.disk_controllers == []
    assert not silent.is_confidential
    assert (silent.gpus, silent.refused, silent.family, silent.zones) == (0, "", "", ())


@pytest.mark.parametrize(
    ("given", "gpus", "engines"), [(3, 2, 3), (3, 0, 3), (0, 2, 2), (0, 0, 8), (1, 0, 1)]
)
def test_engines_are_as_many_as_set_else_gpus_else_vcpus(
    given: int, gpus: int, engines: int
) -> None:
    assert VmSize("Standard_D8s_v5", 8, gpus=gpus).engines(given) == engines
    assert VmSize("Standard_D8s_v5", 8).gpus == 0


def test_a_size_is_named_with_its_zone() -> None:
    assert str(VmSize("Standard_D8s_v5", 8)) == "Standard_D8s_v5"
    assert str(VmSize("Standard_D8s_v5", 8, zone="2")) == "Standard_D8s_v5 in zone 2"
