"""How the process that keeps the tunnels is started."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start import link_process

PID = 2**22 + 1  # greater than any on Linux
NO_WINDOW = 0x08000000  # Windows' own number


class Started:
    """A process that was not started, and how it was to be."""

    options: dict[str, Any] = {}  # noqa: RUF012
    pid = PID

    def __init__(self, command: list[str], **options: Any) -> None:
        type(self).options = options


@pytest.mark.parametrize(("system", "flags"), [("windows", NO_WINDOW), ("linux", 0)])
def test_it_is_detached_and_opens_no_console_window(
    system: str, flags: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows would open a window for it, and end it when that, or the user's, is closed."""
    if system == "windows":
        monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", NO_WINDOW, raising=False)
    else:
        monkeypatch.delattr(subprocess, "CREATE_NO_WINDOW", raising=False)
    monkeypatch.setattr(subprocess, "Popen", Started)
    monkeypatch.setattr(link_process, "_started", {})
    link_process._spawn(RecordFile.of(str(tmp_path), ""))
    assert Started.options["creationflags"] == flags
    assert Started.options["start_new_session"]
    assert Started.options["stdin"] == subprocess.DEVNULL
