"""Which files of a profile are sent, and which of them say anything."""

from pathlib import Path

import pytest

from ipcluster_azure.ssh.bundle import bundle_of
from ipcluster_azure.ssh.profile_files import controller_files, engine_files, says_something


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment\n",
        "c = get_config()  #noqa\n",
        '"""A docstring."""\nget_config()\n# c.IPEngine.timeout = 7\n',
    ],
)
def test_a_configuration_that_says_nothing(text: str) -> None:
    assert not says_something(text.encode())


@pytest.mark.parametrize(
    "text", ["c.IPEngine.timeout = 7\n", "import os\n", "x = = 1\n", "a\0b", "print('x')", "{}"]
)
def test_a_configuration_that_says_something(text: str) -> None:
    assert says_something(text.encode())


def test_engines_get_all_that_they_would_read_here(tmp_path: Path) -> None:
    said = b"c.IPEngine.timeout = 7\n"
    expected = {
        "ipengine_config.py": said,
        "ipengine_config.json": b"{}",
        "ipython_config.py": said,
        "helper.py": b"# a module of the user's\n",
        "startup/00-first.py": b"",
        "startup/01-second.ipy": b"%pwd\n",
    }
    others = {
        "ipcluster_config.py": said,
        "ipcontroller_config.py": said,
        "ipython_kernel_config.py": said,
        "startup/README": b"not code",
        "azure_controller-.json": b"{}",
        "security/ipcontroller-client.json": b"{}",
    }
    for name, text in {**expected, **others}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text)
    assert engine_files(tmp_path) == expected
    assert controller_files(tmp_path) == {"ipcontroller_config.py": said}
    (tmp_path / "ipython_config.py").write_text("# c.InteractiveShellApp.exec_lines = []\n")
    assert "ipython_config.py" not in engine_files(tmp_path)
    assert engine_files(tmp_path / "none") == {}


def test_a_controllers_json_is_sent_as_well(tmp_path: Path) -> None:
    before = bundle_of(tmp_path)
    (tmp_path / "ipcontroller_config.json").write_text('{"HeartMonitor": {"period": 77}}')
    assert set(controller_files(tmp_path)) == {"ipcontroller_config.json"}
    assert bundle_of(tmp_path).sha256 != before.sha256
