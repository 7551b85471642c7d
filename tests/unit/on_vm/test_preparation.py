"""What prepares an engine: run from where it was sent to, and told of where it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .agents import TIMEOUT_S, Agent, connect

CONFIG = """
c.InteractiveShellApp.exec_lines = ["first = 1", "%nosuchmagic", "y =", "later = 3"]
c.InteractiveShellApp.exec_files = ["/home/of/the/user/good.py", "gone.py"]
c.InteractiveShellApp.extensions = ["nosuchextension"]
c.IPEngine.startup_script = "~/bad.py"
c.IPEngine.startup_command = "import nosuchmodule"
"""
SENT = [["/home/me/good.py", "sent/0/good.py"], ["gone.py", ""], ["/home/me/bad.py", "sent/2/x.py"]]
FILES = {
    "ipengine_config.py": CONFIG,
    "sent_files.json": json.dumps(SENT),
    "sent/0/good.py": "from_good = __file__\n",
    "sent/2/x.py": "before = 1\n\ndef divide(x):\n    return x / 0\n\ndivide(before)\n",
    "startup/00-works.py": "from_startup = 2\n",
    "startup/01-fails.py": "import os\nos.listdir('/no/such')\n",
}
FAULTS = [
    "Error in loading extension: nosuchextension: ModuleNotFoundError: No module named 'nosuche",
    "startup/01-fails.py, line 2: FileNotFoundError: [Errno 2] No such file or directory: '/no/s",
    "exec_lines or startup_command, line 1 (get_ipython().run_line_magic('nosuchmagic', '')): Usa",
    "exec_lines or startup_command, line 1 (y =): SyntaxError: invalid syntax",
    "exec_lines or startup_command, line 1 (import nosuchmodule): ModuleNotFoundError: No modul",
    "File not found: 'gone.py'",
    "/home/me/bad.py, line 4: ZeroDivisionError: division by zero",
]


@pytest.fixture
def profile(agent: Agent) -> Iterator[Path]:
    """The profile on a machine, whose files are taken away again."""
    folder = agent.dir / "profile"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    yield folder
    for name in FILES:
        (folder / name).unlink()


@pytest.mark.usefixtures("profile")
def test_each_fault_is_told_with_its_place_and_the_rest_is_run(agent: Agent) -> None:
    ready = agent.engines("prepared", 2)
    assert ready["registered"] == 2
    told = list(ready["faults"])
    assert [text[: len(start)] for text, start in zip(told, FAULTS, strict=True)] == FAULTS
    assert set(map(str, ready["faults"].values())) == {"[0, 1]"}
    assert not any("\n" in text or text.endswith(".") for text in told)
    with connect(agent, 2) as client:
        view = client[:]
        for name, value in {"first": 1, "later": 3, "from_startup": 2, "before": 1}.items():
            assert view.pull(name, block=True) == [value, value]
        assert view.pull("from_good", block=True)[0].endswith("/profile/sent/0/good.py")
        failing = view.apply_async(lambda: 1 / 0)
        failing.wait(TIMEOUT_S)
    log = Path(agent.state("prepared")["engines"][0]["log"]).read_text()
    assert log.count("ZeroDivisionError: division by zero") == 1  # the traceback; no task's
    assert "in divide" in log
    assert agent.state("prepared")["engines"][0]["faults"] == told


def test_an_engine_that_its_own_preparation_ends_is_failed_with_the_reason(agent: Agent) -> None:
    script = agent.dir / "profile" / "ends.py"
    script.write_text("\nimport sys; sys.exit(3)\n")
    failed = agent.failed(
        "engines",
        "--set=ending",
        "--count=1",
        f"--engine-file={agent.engine_file}",
        "--",
        f"--IPEngine.startup_script={script}",
    )
    script.unlink()
    assert "engine 0 exited with 3; ends.py, line 2: SystemExit: 3; log: " in failed["reason"]


def test_engines_whose_preparation_works_have_no_faults(agent: Agent) -> None:
    assert agent.engines("fine", 1)["faults"] == {}


def test_a_controller_without_its_configuration_says_so(bare: Agent) -> None:
    config = bare.dir / "profile" / "ipcontroller_config.py"
    config.write_text(f"{config.read_text()}import nosuchmodule\n")
    assert bare.controller()["faults"] == [
        "ipcontroller_config.py, line 3: ModuleNotFoundError: No module named 'nosuchmodule'"
    ]
