"""When machines end on which nothing runs."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.link.keeper import over
from ipcluster_azure.record.contents import CREATED, Limits
from ipcluster_azure.record.file import RecordFile

from ..record.test_record import _record
from ..stop.made_clusters import endpoint_of

BOTH = Limits(max_lifetime_h=1.0, idle_timeout_min=10.0)


@pytest.mark.parametrize(
    ("limits", "age_s", "idle_s", "why"),
    [
        (BOTH, 3599.0, 599.0, ""),
        (BOTH, 3600.0, 0.0, "1 h, its longest life (max_lifetime_h)"),
        (BOTH, 700.0, 600.0, "10 min without a deployment (idle_timeout_min)"),
        (Limits(), 1e9, 1e9, ""),
    ],
)
def test_a_limit_is_over(limits: Limits, age_s: float, idle_s: float, why: str) -> None:
    assert over(limits, age_s, idle_s) == why


def test_it_stays_where_who_has_started_it_was_killed(
    tmp_path: Path, emulator: EmulatorInfo
) -> None:
    """And ends once the machines are another's to see to."""
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(replace(_record(), state=CREATED, endpoint=endpoint_of(emulator)))
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ipcluster_azure.link.keeper", str(file.path)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writer)
        try:
            while file.require().keeper_pid != process.pid:
                assert process.poll() is None
                time.sleep(0.02)
            with file.edit() as record:
                record.keeper_pid = 0
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, "Traceback" in errors) == (0, False), errors
