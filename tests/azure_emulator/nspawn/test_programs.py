"""What --machines=nspawn needs of a computer is said before anything is started."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from azure_emulator import client
from azure_emulator.nspawn import programs


def test_it_needs_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert programs.missing() == "--machines=nspawn needs Linux"


def test_it_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in programs.missing()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up what root may")
@pytest.mark.parametrize("capability", ["net_admin", "sys_admin"])
def test_it_needs_more_than_the_name_of_root(capability: str) -> None:
    """As in containers that are not privileged."""
    ask = "from azure_emulator.nspawn import programs; print(programs.missing())"
    words = ["setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}"]
    said = subprocess.run(
        [*words, sys.executable, "-c", ask], check=True, capture_output=True, text=True
    ).stdout
    assert "which root has not here" in said


def test_missing_programs_are_named_with_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(programs, "_may_make_namespaces", lambda: True)
    monkeypatch.setattr(
        shutil, "which", lambda name: None if name in ("nft", "dnsmasq") else f"/usr/bin/{name}"
    )
    problem = "--machines=nspawn needs more programs: apt install dnsmasq-base nftables"
    assert programs.missing() == problem
    with pytest.raises(client.EmulatorError, match="apt install dnsmasq-base nftables"):
        client.start(tmp_path / "state", machines="nspawn")
    assert not (tmp_path / "state").exists()


async def test_a_program_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(programs.ProgramFailed, match=r"ls /nowhere: .*No such file"):
        await programs.run("ls", "/nowhere")
