"""The emulator's command line, under both names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_emulator import cli, client

OWN = [sys.executable, "-m", "azure_emulator"]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "state"
    yield path
    client.stop(path)


def command(*arguments: str, program: list[str] = OWN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ipcluster_azure(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from ipcluster_azure.commands.app import main; main()"
    return command("emulator", *arguments, program=[sys.executable, "-c", code])


def test_the_command_line(directory: Path) -> None:
    here = f"--state-dir={directory}"
    started = command("start", here, "--machines=none", "--time-scale", "0", "--seed=3")
    assert started.returncode == 0, started.stderr
    (line,) = started.stdout.splitlines()
    info = json.loads(line)
    assert set(info) == {
        *("endpoint", "ca_file", "token_file", "subscription_id", "state_dir", "pid")
    }
    assert json.loads(command("start", "--state-dir", str(directory)).stdout) == info
    status = command("status", "--json", here)
    assert json.loads(status.stdout) == {"resource_groups": [], "virtual_machines": []}
    assert info["endpoint"] in command("status", here).stdout
    assert command("reset", here).returncode == 0
    assert command("stop", here).stdout == "The emulator has stopped.\n"


def test_the_launchers_command_hands_its_arguments_on(directory: Path) -> None:
    here = f"--state-dir={directory}"
    started = ipcluster_azure("start", here, "--machines=none", "--throttle")
    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout)["state_dir"] == str(directory)
    wrong = ipcluster_azure("start", here, "--time-scal=1")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        "ipcluster-azure emulator start: there is no option '--time-scal=1'; "
        "did you mean --time-scale?\n"
    )


def test_the_command_line_without_an_emulator(directory: Path) -> None:
    here = f"--state-dir={directory}"
    status = command("status", "--json", here)
    assert (status.returncode, json.loads(status.stdout)) == (
        0,
        {"resource_groups": [], "virtual_machines": []},
    )
    for name in ("status", "stop", "reset"):
        answer = command(name, here)
        assert (answer.returncode, answer.stdout) == (0, "No emulator is running.\n")


@pytest.mark.parametrize("name", ["--help", *(f"{name} --help" for name in cli.SUBCOMMANDS)])
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(name.split())
    assert ended.value.code == 0
    assert "usage: python -m azure_emulator" in capsys.readouterr().out


def test_without_a_subcommand_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.WRONG_USAGE
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.SUBCOMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("strat", "invalid choice: 'strat' (choose from .*start.*stop.*status.*reset"),
        ("start --time-scal=1", "there is no option '--time-scal=1'; did you mean --time-scale?"),
        ("start --throttel", "did you mean --throttle?"),
        ("status --jsn", "did you mean --json?"),
        ("stop --nosuch=3", "there are --help, --state-dir."),
        ("start later", "unexpected argument 'later'"),
        ("start --time-scale=-1", "--time-scale: must be a number, 0 or more, not '-1'"),
        ("start --time-scale=nan", "must be a number, 0 or more"),
        ("start --idle-timeout-s=soon", "--idle-timeout-s: must be a number, 0 or more"),
        ("start --machines=foo", "'foo' (choose from .*process.*none"),
        ("start --clock=foo", "'foo' (choose from .*real.*virtual"),
        ("start --port=99999", "--port: must be a whole number from 0 to 65535, not '99999'"),
        ("start --port=1.5", "must be a whole number from 0 to 65535"),
        ("start --port", "expected one argument"),
        ("start --seed=x", "--seed: invalid int value: 'x'"),
        ("start --quota-cores=-1", "--quota-cores: must be a whole number, 0 or more"),
        ("start --end-with-pid=0x1", "must be the id of a running process, not '0x1'"),
    ],
)
def test_a_mistake_is_one_line_and_starts_nothing(
    directory: Path, arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *rest = arguments.split()
    with pytest.raises(SystemExit) as ended:
        cli.main([name, *([] if name == "strat" else [f"--state-dir={directory}"]), *rest])
    assert ended.value.code == cli.WRONG_USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("python -m azure_emulator")
    for part in message.split(".*"):
        assert part in line
    assert not directory.exists()


def test_a_failure_is_one_line(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["start", f"--state-dir={directory}"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_a_state_directory_that_is_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.touch()
    assert cli.main(["start", f"--state-dir={path}"]) == 1
    assert f"the state can't be kept in {path}" in capsys.readouterr().err
