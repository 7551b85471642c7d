"""Commands for the machines, run as sshd runs them: by a shell, in the home directory."""

import ast
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import ipcluster_azure
from ipcluster_azure.on_vm.agent.commands import command_of, parse
from ipcluster_azure.record.environment import Environment
from ipcluster_azure.ssh import commands
from ipcluster_azure.ssh.bundle import ON_VM
from ipcluster_azure.ssh.commands import (
    WORK_DIR,
    Command,
    agent_command,
    concurrently,
    guard_command,
    replace_file,
    shell,
    where_set_up,
)

ODD = "a b; rm -rf \"$HOME\" `x` $(y) 'ü' && false\nnext"
IMAGE = Environment("image", sys.executable, "3.11", "9.2.0")
ELSEWHERE = Environment("image", "/opt/my python/bin/python", "3.11", "9.2.0")
PIPES: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
MINIMAL = Environment("minimal", "unused", "3.11", "9.2.0")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        ["/bin/sh", "-c", command], input=stdin, capture_output=True, timeout=30, check=False
    )


def test_steps_run_in_the_work_directory_and_words_stay_words(home: Path) -> None:
    done = run(shell(["pwd"], ["printf", "%s", ODD]))
    assert done.stdout.decode() == f"{home / WORK_DIR}\n{ODD}"
    assert (home / WORK_DIR).stat().st_mode & 0o777 == 0o700


def test_the_first_step_that_fails_is_the_last(home: Path) -> None:
    done = run(shell(["echo", "one"], ["sh", "-c", "exit 7"], ["echo", "two"]))
    assert (done.returncode, done.stdout) == (7, b"one\n")


def test_a_file_is_replaced_by_what_is_sent(home: Path) -> None:
    for content in (b"old, and longer\n", b"\0new"):
        done = run(shell(*replace_file("some file")), content)
        assert done.returncode == 0, done.stderr
        assert (home / WORK_DIR / "some file").read_bytes() == content
    assert [path.name for path in (home / WORK_DIR).iterdir()] == ["some file"]


def test_the_python_that_has_ipyparallel_runs_the_agent_and_the_guard() -> None:
    odd = agent_command(ELSEWHERE, "engines", "--set=x y")
    assert odd.endswith("&& '/opt/my python/bin/python' vm_agent.py engines --dir=. '--set=x y'")
    assert agent_command(MINIMAL, "logs").endswith("&& env/bin/python vm_agent.py logs --dir=.")
    assert guard_command(MINIMAL, "follow").endswith("&& env/bin/python vm_guard.py follow --dir=.")


def test_the_agent_is_run_only_where_it_is_and_nobody_sets_it_up(home: Path) -> None:
    command = where_set_up(IMAGE, agent_command(IMAGE, "stop", "--set=x"))
    nothing = run(command)
    assert (nothing.returncode, nothing.stdout) == (0, b""), nothing.stderr
    (home / WORK_DIR / "vm_agent.py").write_text("import os; print(os.getcwd())")
    assert run(command).stdout.decode() == f"{home / WORK_DIR}\n"
    with subprocess.Popen(
        [shutil.which("flock") or "", home / WORK_DIR, "sh", "-c", "echo; read x"], **PIPES
    ) as busy:
        assert busy.stdout is not None
        busy.stdout.readline()
        meanwhile = run(command)
        busy.communicate()
    assert (meanwhile.returncode, meanwhile.stdout) == (0, b""), meanwhile.stderr
    (home / WORK_DIR / "vm_agent.py").write_text("raise SystemExit(3)")
    assert run(command).returncode == 3


@pytest.mark.parametrize("built", [False, True])
def test_an_environment_that_is_not_there_runs_no_agent(home: Path, built: bool) -> None:
    (home / WORK_DIR).mkdir()
    (home / WORK_DIR / "vm_agent.py").write_text("print('ran')")
    environment = MINIMAL if built else IMAGE
    done = run(where_set_up(environment, agent_command(environment, "stop")))
    assert (done.returncode, done.stdout) == (0, b"" if built else b"ran\n"), done.stderr


def run_chains(*chains: list[Command]) -> "subprocess.CompletedProcess[bytes]":
    """Run chains of commands at once, in a work directory with the script of the bundle."""
    Path(WORK_DIR).mkdir()
    script = ON_VM / "scripts" / "concurrently.py"
    shutil.copy(script, Path(WORK_DIR) / "vm_concurrently.py")
    return run(shell(concurrently(IMAGE, *chains)))


def test_chains_run_at_once_and_their_commands_in_turn(home: Path) -> None:
    meet = ["sh", "-c", 'echo > "$1"; until [ -e "$2" ]; do sleep 0.01; done', "sh"]
    chain: list[Command] = [[*meet, "a", "b"], ["printf", "%s", ODD]]
    done = run_chains(chain, [[*meet, "b", "a"]])
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, ODD, b"")


@pytest.mark.parametrize(
    ("first", "second", "status", "printed"),
    [
        ("exit 3", "exit 4", 3, b""),
        ("exit 0", "exit 4", 4, b"after\n"),
        ("kill -9 $$", "exit 0", 137, b""),
    ],
)
def test_the_first_chain_that_failed_tells_the_status(
    home: Path, first: str, second: str, status: int, printed: bytes
) -> None:
    chain: list[Command] = [["sh", "-c", first], ["echo", "after"]]
    done = run_chains(chain, [["sh", "-c", second]])
    assert (done.returncode, done.stdout) == (status, printed)


def test_a_chain_that_failed_does_not_end_the_others(home: Path) -> None:
    began = time.monotonic()
    done = run_chains([["false"]], [["sleep", "0.5"], ["echo", "done"]])
    assert (done.returncode, done.stdout) == (1, b"done\n")
    assert time.monotonic() - began >= 0.5


def test_a_program_that_is_missing_is_named(home: Path) -> None:
    done = run_chains([["no-such-program"]])
    assert done.returncode == 127
    assert done.stderr.startswith(b"no-such-program can't be started:")


# --- the protocol with other versions: the machines have the files of who started the cluster

SENT = {
    # the first two right after these files were sent; the third where the machine has a lock
    "agent": {"controller", "engines", "compare"},
    "agent_command": {"logs", "restart", "stop", "signal"},
    # of a version that has no load the state is asked (clusters/guard_news.py)
    "guard_command": {"follow", "load", "unregister"},
}
OF_OTHER_VERSIONS = [
    ["logs", "--dir=.", "--controller", "--max-bytes=200000"],
    ["logs", "--dir=.", "--set=1795957247", "--max-bytes=200000"],
    ["restart", "--dir=.", "--set=1795957247"],
    ["restart", "--dir=.", "--set=1795957247", "--pids=[12, 34]"],
    ["stop", "--dir=.", "--set=1795957247"],
    ["signal", "--dir=.", "--set=1795957247", "--signum=2"],
    ["compare", "--dir=."],
]


def test_what_is_run_on_machines_of_other_versions_is_a_fixed_list() -> None:
    found: dict[str, set[str]] = {name: set() for name in SENT}
    root = Path(ipcluster_azure.__file__).parent
    for path in root.rglob("*.py"):
        if path == Path(commands.__file__) or "on_vm" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in SENT:
                found[name].add(ast.literal_eval(node.args[1]))
    assert found == SENT


@pytest.mark.parametrize("words", OF_OTHER_VERSIONS, ids=" ".join)
def test_what_other_versions_run_is_understood(words: list[str]) -> None:
    args = parse(words)
    assert command_of(args).__name__ == f"{words[0]}_command"
