"""What --machines=nspawn needs of a computer is said before anything is started."""

import os
import shutil
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


def test_missing_programs_are_named_with_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
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
