"""The emulator's command line, under both names."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import cli, client, state_directory

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
        *("endpoint", "ca_file", "token_file", "subscription_id", "state_dir", "pid"),
        "network_namespace",
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
        ("start --end-with-pid=99999999999999999999", "must be the id of a running process"),
        ("start --allow-actions=", "--allow-actions: must not be empty"),
        ("start --state-dir=", "--state-dir: must not be empty"),
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
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main(["start", f"--state-dir={directory}"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


@pytest.fixture
def impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file, and one where nothing can be written, whoever runs this."""
    (tmp_path / "file").touch()
    (tmp_path / "unwritable").mkdir()
    (tmp_path / "full").mkdir()
    real = tempfile.TemporaryFile

    def temporary_file(*, dir: Path) -> Any:
        if dir.name == "unwritable":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dir))
        return open("/dev/full", "wb") if dir.name == "full" else real(dir=dir)

    monkeypatch.setattr("tempfile.TemporaryFile", temporary_file)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("impossible")
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("file", "File exists"),
        ("file/below", "Not a directory"),
        ("unwritable", "Permission denied"),
        ("full", "No space left on device"),
        ("/proc/x", "No such file or directory"),
        ("/proc/self", "No such file or directory"),
        ("/sys/x", "ermi"),  # Operation not permitted, or Permission denied
        ("/dev/null", "File exists"),
        ("a" * 300, "File name too long"),
        ("~nobody-of-this-name/x", "Could not determine home directory"),
    ],
)
def test_a_state_directory_that_can_not_be_one_is_refused(
    path: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["start", f"--state-dir={path}"]) == cli.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    for name in ("status", "stop", "reset"):
        assert cli.main([name, f"--state-dir={path}"]) == 0
        assert capsys.readouterr().out == "No emulator is running.\n"


def test_a_directory_that_others_use_keeps_its_mode(tmp_path: Path) -> None:
    shared, empty = tmp_path / "shared", tmp_path / "empty"
    for folder in (shared, empty):
        folder.mkdir()
        folder.chmod(0o777)
    (shared / "file").touch()
    for folder, mode in ((shared, 0o777), (empty, 0o700)):
        state_directory.prepare(folder)
        assert folder.stat().st_mode & 0o777 == mode


def test_a_port_that_is_taken_is_named(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert cli.main(["start", f"--state-dir={directory}", f"--port={port}"]) == cli.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"port {port} of 127.0.0.1 can't be had: Address already in use")


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "5", "null", '{"actions": 1}', '{"permissions": []}', '{"actions": "*"}'),
        *('{"actions": [1]}', '{"actions": {"a": 1}}', '{"actions": ["*"], "notActions": [null]}'),
        *("[" * 100_000, "\udcff"),
    ],
)
def test_a_file_that_is_no_role_starts_nothing(
    directory: Path, tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    role = tmp_path / "role.json"
    role.write_bytes(content.encode(errors="surrogateescape"))
    here = f"--state-dir={directory}"
    assert cli.main(["start", here, f"--allow-actions={role}"]) == cli.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{role} is no role definition" in line
    assert not directory.exists()


def test_an_option_before_the_subcommand_is_told_its_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--state-dir=x", "start"])
    assert "'--state-dir' belongs behind the subcommand" in capsys.readouterr().err


def test_modules_in_the_working_directory_are_not_taken_for_pythons(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a random.py of somebody's who tries out random numbers."""
    for name in ("random", "types", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    start = ["start", f"--state-dir={directory}", "--machines=none"]
    command = [sys.executable, "-m", "azure_emulator", *start]
    subprocess.run(command, check=True, timeout=60)
    cli.main(["stop", f"--state-dir={directory}"])
    assert cli.main(start) == 0
