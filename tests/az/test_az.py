"""Everyday commands of az, the real one, on an emulator: each must succeed and say the right thing.

az comes from $IPCLUSTER_AZURE_TEST_AZ; `make test-az` makes an environment for it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import asyncssh
import pytest

from azure_emulator import client

from .commands import FILES, PARTS, SHORT

AZ = os.environ.get("IPCLUSTER_AZURE_TEST_AZ", "")
COMMAND_TIMEOUT_S = 180

pytestmark = [
    pytest.mark.skipif(not AZ, reason="needs az, which `make test-az` gets from the package index"),
    pytest.mark.timeout(1800),
]


class Az(NamedTuple):
    """The command, in an environment in which it knows the emulator alone."""

    environment: Mapping[str, str]
    folder: Path
    subscription_id: str

    def __call__(self, arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [AZ, *shlex.split(arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def filled(self, text: str, group: str = "") -> str:
        for name, value in SHORT.items():
            text = text.replace(name, value)
        values = {"{g}": group, "{sub}": self.subscription_id, "{dir}": str(self.folder)}
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    def complaint(self, line: str) -> str:
        """What is wrong with what the line gives; empty if nothing is."""
        command, _, expected = line.partition(" => ")
        done = self(command)
        printed = " ".join(done.stdout.split())
        if expected.startswith("!"):
            right = done.returncode != 0 and expected[1:] in done.stderr
        else:
            right = done.returncode == 0 and expected in ("", printed)
        if right:
            return ""
        found = f"status {done.returncode}, printed {printed[:300]!r}"
        return f"az {line}\n  {found}\n{done.stderr[-800:]}"


@pytest.fixture(scope="module")
def az(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Az]:
    state, folder = tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("files")
    info = client.start(state, machines="none")
    try:
        command = Az({**os.environ, **client.environment(info)}, folder, info.subscription_id)
        for name, text in FILES.items():
            (folder / name).write_text(command.filled(text))
        key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
        (folder / "key.pub").write_bytes(key.export_public_key())
        logged_in = command("login --identity")
        assert logged_in.returncode == 0, logged_in.stderr
        yield command
    finally:
        client.stop(state)


@pytest.mark.parametrize("part", PARTS)
def test_everyday_commands(az: Az, part: str) -> None:
    group = "az-" + re.sub(r"\W+", "-", part)
    assert az(f"group create -n {group} -l eastus").returncode == 0
    lines = [az.filled(line, group) for line in PARTS[part].strip().splitlines()]
    wrong = [complaint for line in lines if (complaint := az.complaint(line))]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(lines)} commands:", *wrong])


def test_it_lists_what_people_type() -> None:
    """A table that shrinks would prove less and less."""
    assert sum(len(part.strip().splitlines()) for part in PARTS.values()) >= 150
