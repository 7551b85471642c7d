"""What a real machine has on its disk before it boots; tests/machines see it boot."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from azure_emulator.guest.machine_interface import Defects, MachineSpec, Position
from azure_emulator.nspawn import disk, package_index

HEALTHY = Defects()
LOGIN = "https://me:s%40fe@index.example.com/simple"


class Network:
    """A machine's place in the network; `outbound`: whether it has a way out."""

    def __init__(self, *, outbound: bool = True) -> None:
        self._outbound = outbound

    def public_address(self) -> str | None:
        return None

    def admits(self, peer: str, address: str) -> bool:
        return True

    def lets_out(self, address: str, port: int) -> bool:
        return True

    def has_way_out(self) -> bool:
        return self._outbound

    def is_near(self, address: str) -> bool:
        return True

    def position(self) -> Position | None:
        return Position("net", "10.0.0.0/28", ("10.0.0.0/28",), ())


SPEC = MachineSpec(
    vm_id="11111111-2222-4333-8444-555555555555",
    name="vm",
    admin_username="azureuser",
    public_keys=(),
    password=None,
    custom_data=b"#cloud-config\n{}\n",
    private_address="10.0.0.4",
    ssh_port=22,
    network=Network(),
    host_name="vm",
)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in package_index.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", LOGIN)
    monkeypatch.setenv("UV_INDEX", f"mine={LOGIN} https://pypi.org/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/opt/wheels")


def made(folder: Path, defects: Defects = HEALTHY, *, outbound: bool = True) -> Path:
    place = folder / "disk"
    disk.make(replace(SPEC, defects=defects, network=Network(outbound=outbound)), place)
    return place / "upper"


@pytest.mark.usefixtures("index")
def test_everybody_may_read_where_the_index_is_and_not_its_login(tmp_path: Path) -> None:
    upper = made(tmp_path)
    text = (upper / "etc/environment").read_text()
    assert 'PIP_INDEX_URL="https://index.example.com/simple"\n' in text
    assert 'UV_INDEX="mine=https://index.example.com/simple https://pypi.org/simple"\n' in text
    assert "s%40fe" not in text
    assert "FIND_LINKS" not in text  # a file of this computer
    for home in ("etc/skel", "root"):
        netrc = upper / home / ".netrc"
        assert netrc.read_text() == "machine index.example.com login me password s@fe\n"
        assert netrc.stat().st_mode & 0o777 == 0o600
    assert (upper / "root").stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("index")
def test_a_machine_without_a_way_out_knows_of_no_index(tmp_path: Path) -> None:
    upper = made(tmp_path, outbound=False)
    assert (upper / "etc/environment").read_text() == ""
    assert not [*upper.rglob(".netrc")]


def test_custom_data_is_where_cloud_init_looks_and_for_root_alone(tmp_path: Path) -> None:
    seed = made(tmp_path) / "var/lib/cloud/seed/azure/ovf-env.xml"
    (data,) = re.findall("<CustomData>(.*)</CustomData>", seed.read_text())
    assert base64.b64decode(data) == SPEC.custom_data
    assert seed.stat().st_mode & 0o777 == 0o600


def test_defects_are_on_the_disk(tmp_path: Path) -> None:
    units = "etc/systemd/system"
    for number, (defects, name) in enumerate(
        (
            (Defects(no_ssh=True), f"{units}/ssh.service"),
            (Defects(wrong_host_key=True), f"{units}/ssh.service.d/other-key.conf"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert (made(folder, defects) / name).is_symlink() == defects.no_ssh
        healthy = tmp_path / f"healthy-{number}"
        healthy.mkdir()
        assert not (made(healthy) / name).exists()
