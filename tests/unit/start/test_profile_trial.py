"""Trials of a profile's configuration, with the real programs: what is found, and what is left."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.record.user_files import Preparation
from ipcluster_azure.start import profile_trial
from ipcluster_azure.start.profile_trial import controller_trial, engine_trial, prepare
from ipcluster_azure.start.request import ProcessSpec

LOG = logging.getLogger("test")


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A profile; what its trials start and write must be gone at the end."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(profile_trial, "LIMIT_S", 60.0)  # on a computer that has much else to do
    folder = tmp_path / "ipython" / "profile_azure"
    folder.mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    yield folder
    deadline = time.monotonic() + 30
    while _left(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)  # killed a moment ago
    assert _left(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def _left(folder: Path) -> list[str]:
    """Command lines of the processes whose environment names this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            other = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
            if other and process.environ().get("TMPDIR") == str(folder / "tmp"):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def _try_controller(profile: Path, text: str, *args: str) -> Preparation:
    (profile / "ipcontroller_config.py").write_text(text)
    trial = controller_trial(profile, ProcessSpec(args))
    return asyncio.run(prepare(LOG, "c1", controller=trial, engines=None))


def _try_engines(profile: Path, text: str, *args: str) -> Preparation:
    (profile / "ipengine_config.py").write_text(text)
    trial = engine_trial(profile, ProcessSpec(args, {"MARK": "of the machines"}))
    return asyncio.run(prepare(LOG, "c1", controller=None, engines=trial))


def test_without_any_configuration_no_process_is_started(
    profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_trial, "_begin", None)
    _try_controller(profile, "# c.IPController.ip = ''\nc = get_config()\n")
    assert _try_engines(profile, "").files == []


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("c.HeartMonitor.period = 500\nprint('x' * 10**7)\n", []),
        ("c.IPController.db_class = 'sqlitedb'\nc.SQLiteDB.location = '/no/such'\n", []),
        ("", ["--TaskScheduler.hwm=0", "--debug"]),
        (
            "import subprocess, sys\n"
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
            " start_new_session=True)\n",
            [],
        ),
    ],
)
def test_a_controller_that_works(
    profile: Path, caplog: pytest.LogCaptureFixture, text: str, args: list[str]
) -> None:
    _try_controller(profile, text, *args)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("text", "args", "said"),
    [
        (
            "c.IPController.db_class = 'IPython.parallel.controller.dictdb.DictDB'\n",
            [],
            "No module named 'IPython.parallel'",
        ),
        ("x = 1\nc.IPController.nosuch = x / 0\n", [], "ipcontroller_config.py, line 2: ZeroDiv"),
        ("c.IPController.nosuch = 1\n", [], "c.IPController.nosuch is not a setting"),
        ("c.IPController.ports = 'abc'\n", [], "The 'ports' trait"),
        ("c.IPController.client_json_file = 'x.json'\n", [], "are set by the launcher"),
        ("c.IPController.transport = 'ipc'\n", [], "transport must be tcp"),
        ("c.IPController.engine_ssh_server = 'me@there'\n", [], "are set by the launcher"),
        ("import os\nos._exit(3)\n", [], "it ends right away, with status 3"),
        ("", ["--HeartMonitor.period=soon"], "HeartMonitor.period must be a whole number"),
        ("", ["--nosuch=1"], "--nosuch is not an option"),
        ("", ["nosuch"], "'nosuch' is not an option"),
        ("", ["--scheme"], "argument --TaskScheduler.scheme_name: expected one argument"),
    ],
)
def test_a_controller_that_can_not_work(
    profile: Path, text: str, args: list[str], said: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _try_controller(profile, text, *args)
    message = str(refused.value)
    assert message.startswith("ipcontroller can't work as it is configured: ")
    assert said in message
    assert f"files in {profile}, and controller_args." in message
    assert "\n" not in message


def test_what_may_exist_on_the_machines_is_a_warning(
    profile: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _try_controller(profile, "import nosuch\n")
    assert "ipcontroller_config.py, line 1: ModuleNotFoundError: No module" in caplog.text
    caplog.clear()
    _try_controller(profile, "c.IPController.engine_ip = '203.0.113.7'\n")
    assert "Cannot assign requested address" in caplog.text


def test_a_configuration_of_another_profile_is_named(
    profile: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = profile.parent / "profile_other"
    other.mkdir()
    (other / "own_config.py").write_text("c.HeartMonitor.period = 500\n")
    _try_controller(profile, "load_subconfig('own_config.py', profile='other')\n")
    assert f"{other / 'own_config.py'} is not sent to them" in caplog.text


def test_one_that_takes_too_long_is_not_waited_for(
    profile: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_trial, "LIMIT_S", 1.0)
    began = time.monotonic()
    _try_controller(profile, "import time\ntime.sleep(60)\n")
    assert time.monotonic() - began < 30
    assert "it was not ready within 1 s, and so was not checked" in caplog.text


async def test_a_start_that_is_ended_meanwhile_leaves_nothing(profile: Path) -> None:
    (profile / "ipcontroller_config.py").write_text("import time\ntime.sleep(60)\n")
    trial = controller_trial(profile, ProcessSpec())
    trying = asyncio.ensure_future(prepare(LOG, "c1", controller=trial, engines=None))
    while not _left(profile.parent.parent):
        await asyncio.sleep(0.02)
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying


def test_a_start_that_is_killed_leaves_nothing(profile: Path, tmp_path: Path) -> None:
    (profile / "ipcontroller_config.py").write_text("import time\ntime.sleep(60)\n")
    code = (
        "import asyncio, pathlib, logging\n"
        "from ipcluster_azure.start.profile_trial import controller_trial, prepare\n"
        "from ipcluster_azure.start.request import ProcessSpec\n"
        f"trial = controller_trial(pathlib.Path({str(profile)!r}), ProcessSpec())\n"
        "asyncio.run(prepare(logging.getLogger(), 'c1', controller=trial, engines=None))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + 30
        while len(_left(tmp_path)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    while _left(tmp_path) or list((tmp_path / "tmp").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_files_that_engines_run_are_found_where_engines_here_would_find_them(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        "home.py": tmp_path / "home",
        "working.py": tmp_path / "working",
        "ipython.py": profile.parent,
        "profile.py": profile,
        "beside.py": profile,
        "whole.py": tmp_path,
        "main.py": tmp_path / "working",
    }
    for name, folder in places.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "working")
    found = _try_engines(
        profile,
        "import os\n"
        "assert os.environ['MARK'] == 'of the machines'\n"
        "c.InteractiveShellApp.exec_files = ['~/home.py', 'working.py', 'ipython.py', 'profile.py',"
        " os.path.join(os.path.dirname(__file__), 'beside.py')]\n"
        f"c.IPEngine.startup_script = {str(tmp_path / 'whole.py')!r}\n"
        "c.IPKernelApp.file_to_run = 'main.py'\n",
    )
    assert [path for _, path in found.files] == [str(places[n] / n) for n in places]
    assert found.key


def test_a_key_changes_with_what_is_configured(profile: Path) -> None:
    keys = {_try_engines(profile, text).key for text in ("", "x = 1\n", "x = 2\n")}
    keys.add(_try_engines(profile, "", "--debug").key)
    (profile / "startup").mkdir()
    (profile / "startup" / "a.py").write_text("")
    keys.add(_try_engines(profile, "").key)
    assert len(keys) == 5
    assert _try_engines(profile, "").key in keys


@pytest.mark.parametrize(
    ("text", "args", "said"),
    [
        ("c.IPEngine.startup_script = '/no/such.py'\n", [], "configured to run /no/such.py, which"),
        ("c.IPEngine.timeout = 'soon'\n", [], "IPEngine.timeout must be a number, not 'soon'"),
        ("\nnosuch\n", [], "ipengine_config.py, line 2: NameError: name 'nosuch' is not defined"),
        ("", ["--timeout=soon"], "IPEngine.timeout must be a number, not 'soon'"),
    ],
)
def test_engines_that_can_not_work(profile: Path, text: str, args: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said.replace("(", r"\(")):
        _try_engines(profile, text, *args)


def test_an_extension_that_nothing_brings_is_named(
    profile: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _try_engines(profile, "c.InteractiveShellApp.extensions = ['autoreload', 'nosuch.magic']\n")
    (line,) = caplog.messages
    assert "extension nosuch.magic is of no package that is installed here" in line


def test_modules_in_the_working_directory_are_not_taken_for_pythons(
    profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They aren't on the machines, either; what Python doesn't have is found there after all."""
    for name in ("random", "types"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    (tmp_path / "of_mine.py").touch()
    monkeypatch.chdir(tmp_path)
    _try_controller(profile, "import of_mine\nc.HeartMonitor.period = 500\n")
