"""In a terminal there are bars."""

import os
import signal

import pexpect
import pytest

from azure_emulator import client

from .conftest import BIN, Profile


# pexpect makes its terminal by a fork, which Python warns of where threads run
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_bars_and_the_count_then_ctrl_c(profile: Profile) -> None:
    environment = {
        **os.environ,
        "IPYTHONDIR": str(profile.ipython_dir),
        client.STATE_DIR_VARIABLE: profile.emulator.state_dir,
    }
    command = ["start", f"--profile={profile.name}", "-n", "2"]
    terminal = pexpect.spawn(
        str(BIN / "ipcluster"), command, env=environment, cwd=profile.ipython_dir, timeout=90
    )
    terminal.expect(r"engines registered: +\d+%\|")
    terminal.expect("2 of 2 engines are registered")
    terminal.sendintr()
    terminal.expect("has accepted the deletion")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0, signal.strsignal(terminal.signalstatus or 0)
    profile.assert_nothing_left()
