"""The demo's own logic, with stand-ins for the commands: what it runs, and how it cleans up."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ipcluster_azure.examples import demo, demo_commands
from ipcluster_azure.examples.monte_carlo_options.model import Model
from ipcluster_azure.examples.monte_carlo_options.surface import price_surface

from tests.processes import ends

PROFILE = "--profile=azure-emulator"

IPCLUSTER_AZURE = """#!/bin/sh
echo "ipcluster-azure $*" >> {state}/calls
case "$1 $2" in
"emulator start")
    sleep 60 > /dev/null 2>&1 &
    echo $! > {state}/pid
    echo "a line of log"
    echo '{{"endpoint": "https://127.0.0.1:1", "state_dir": "{state}", "pid": '$!'}}' ;;
"emulator status") cat {state}/status ;;
"emulator stop") kill $(cat {state}/pid) ;;
esac
"""
IPCLUSTER = """#!/bin/sh
echo "ipcluster $*" >> {state}/calls
. {state}/$1
"""
START = f"ipcluster start {PROFILE} -n 4 --daemonize --AzureVMLauncher.sync_paths=[]"
STOP = f"ipcluster stop {PROFILE}"
EMULATOR_STOP = "ipcluster-azure emulator stop"
SHOW = demo.show
STATUS = "ipcluster-azure emulator status --json"


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A folder that holds the stand-ins; `start` and `stop` are what `ipcluster` does."""
    folder = tmp_path / "state"
    folder.mkdir()
    for name, text in (("ipcluster-azure", IPCLUSTER_AZURE), ("ipcluster", IPCLUSTER)):
        (folder / name).write_text(text.format(state=folder))
        (folder / name).chmod(0o755)
    (folder / "status").write_text('{"resource_groups": [], "virtual_machines": []}\n')
    (folder / "start").write_text("true\n")
    (folder / "stop").write_text("true\n")
    monkeypatch.setattr(demo_commands, "BIN", folder)
    monkeypatch.setattr(demo, "GONE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(demo, "price", small_surface)
    monkeypatch.setattr(demo, "show", lambda surface: None)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    yield folder
    for file in (folder / "pid", folder / "left"):
        if file.exists():
            end(int(file.read_text()))


def small_surface():
    return price_surface(Model(n_fixings=2), [90, 110], [0.1, 0.4], 1000)


def end(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def calls(state):
    return (state / "calls").read_text().splitlines()


def test_the_whole_demo(state, monkeypatch, capfd):
    monkeypatch.setattr(demo, "show", SHOW)
    assert demo.main() == 0
    assert calls(state) == [
        "ipcluster-azure emulator start",
        STATUS,
        f"ipcluster-azure init {PROFILE} --template=emulator --reset",
        START,
        STOP,
        STATUS,
        EMULATOR_STOP,
    ]
    out = capfd.readouterr().out
    assert out.count("   done in") == out.count("\n== ") == 6
    assert "the endpoint holds no resource group of the demo" in out
    assert "no process is left" in out
    assert "ipcluster start --profile=azure -n 32" in out
    assert "\x1b" not in out
    written = {path.name for path in Path("demo-output").iterdir()}
    assert written >= {"prices.csv", "asian_call.png", "european_put.png"}


def test_a_failing_start_is_shown_undone_and_ends_with_1(state, capfd):
    (state / "start").write_text("echo the quota of 4 cores is exceeded >&2; exit 3\n")
    assert demo.main() == 1
    assert calls(state)[-3:] == [START, STOP, EMULATOR_STOP]
    out = capfd.readouterr().out
    assert f"The demo failed: {START}: exit status 3\n   | the quota of 4 cores" in out
    assert ends(int((state / "pid").read_text()))


def test_somebody_else_s_cluster_is_left_alone(state, capfd):
    (state / "start").write_text("echo Cluster is already running >&2; exit 10\n")
    assert demo.main() == 1
    assert calls(state)[-2:] == [START, EMULATOR_STOP]
    assert f"Stop it with: {STOP}" in capfd.readouterr().out


def test_an_endpoint_that_ran_before_is_left_running(state, capfd):
    tool = (state / "ipcluster-azure").read_text()
    (state / "ipcluster-azure").write_text(tool.replace("'$!'", "1"))
    (state / "status").write_text('{"resource_groups": ["mine"], "virtual_machines": []}\n')
    assert demo.main() == 0
    assert EMULATOR_STOP not in calls(state)
    assert "only the endpoint, which ran before" in capfd.readouterr().out


def test_a_failing_clean_up_does_not_keep_the_rest_from_running(state, monkeypatch, capfd):
    monkeypatch.setattr(demo, "price", lambda: (_ for _ in ()).throw(OSError("no connection")))
    (state / "stop").write_text("echo cannot stop >&2; exit 1\n")
    assert demo.main() == 1
    assert calls(state)[-2:] == [STOP, EMULATOR_STOP]
    out = capfd.readouterr().out
    assert "The demo failed: no connection" in out
    assert "| cannot stop" in out


def test_a_resource_group_left_behind_is_a_failure(state, capfd):
    status = '{"resource_groups": ["ipp-left"], "virtual_machines": []}'
    (state / "start").write_text(f"echo '{status}' > {state}/status\n")
    assert demo.main() == 1
    assert 'resource groups left after 0 s:\n   | "ipp-left"' in capfd.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("tail -f /dev/null {profile_dir}/log", id="names the profile"),
        pytest.param(
            "env IPCLUSTER_AZURE_EMULATOR_VM_ID=1 HOME={state}/vm sleep 60", id="runs on a VM"
        ),
    ],
)
def test_a_process_left_behind_is_a_failure(state, tmp_path, command, capfd):
    command = command.format(state=state, profile_dir=tmp_path / "ipython/profile_azure-emulator")
    (state / "start").write_text(f"{command} > /dev/null 2>&1 & echo $! > {state}/left\n")
    assert demo.main() == 1
    pid = (state / "left").read_text().strip()
    assert f"processes left after 0 s:\n   | {pid}: " in capfd.readouterr().out


def test_a_command_that_takes_too_long_is_ended(state, monkeypatch):
    monkeypatch.setattr(demo_commands, "COMMAND_TIMEOUT_S", 0.3)
    (state / "start").write_text(f"echo $$ > {state}/left; echo waiting; exec sleep 60\n")
    with pytest.raises(demo_commands.DemoError, match=r"took more than 0 s\n   \| waiting"):
        demo_commands.run("ipcluster", "start")
    assert ends(int((state / "left").read_text()))


def test_a_missing_command_is_a_reason_not_a_traceback(state, capfd):
    (state / "ipcluster-azure").unlink()
    assert demo.main() == 1
    assert "ipcluster-azure" in capfd.readouterr().out.split("The demo failed:")[1]


def test_an_answer_that_is_not_the_json_expected():
    assert demo_commands.last_json('log\n{"pid": 1}\n', "pid") == {"pid": 1}
    for output in ("", "log\n", "[1]\n", '{"other": 1}\n'):
        with pytest.raises(demo_commands.DemoError, match="JSON with pid was expected"):
            demo_commands.last_json(output, "pid")


def test_the_output_folder_falls_back_on_a_temporary_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert demo.output_folder() == Path("demo-output")
    Path("demo-output").rmdir()
    Path("demo-output").write_text("not a folder")
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    fallback = demo.output_folder()
    assert fallback.is_dir()
    assert fallback.parent == tmp_path


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_half_way_ends_the_command_and_cleans_up(state, signal_number):
    # a while after it has begun: a signal in the moment of the fork would find no child to end
    (state / "start").write_text(f"sleep 0.3; echo $$ > {state}/left; exec sleep 60\n")
    script = (
        "import pathlib, signal, sys; from ipcluster_azure.examples import demo, demo_commands;"
        "signal.signal(signal.SIGTERM, signal.default_int_handler);"
        "demo_commands.BIN = pathlib.Path(sys.argv[1]); sys.exit(demo.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(state)], stdout=subprocess.PIPE, text=True
    )
    try:
        deadline_s = time.monotonic() + 30
        while not (state / "left").exists() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        process.send_signal(signal_number)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Interrupted. Cleaning up." in out
    assert calls(state)[-3:] == [START, STOP, EMULATOR_STOP]
    assert ends(int((state / "left").read_text()))
    assert ends(int((state / "pid").read_text()))


def test_a_missing_extra_is_named_before_anything_is_started(state):
    script = (
        "import pathlib, sys; sys.modules['matplotlib'] = None\n"
        "import importlib.util; find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'matplotlib' else find(name)\n"
        "from ipcluster_azure.examples import demo, demo_commands\n"
        "demo_commands.BIN = pathlib.Path(sys.argv[1]); sys.exit(demo.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(state)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "pip install 'ipcluster-azure[examples]'" in done.stdout
    assert not (state / "calls").exists()
