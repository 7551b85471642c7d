"""Engines are prepared with files of this computer, and a start tells what fails of that."""

from pathlib import Path

from .conftest import Profile


def test_scripts_are_sent_and_what_fails_is_told_at_the_start(
    profile: Profile, tmp_path: Path
) -> None:
    script = tmp_path / "prepare me.py"
    script.write_text("prepared = 1\n\nprepared / 0\n")
    config = profile.folder / "ipengine_config.py"
    config.write_text(
        f"c.IPEngine.startup_script = {str(script)!r}\n"
        "c.InteractiveShellApp.exec_lines = ['import nosuchmodule', 'then = 2']\n"
    )
    output = profile.ipcluster("start", "-n", "2", "--daemonize")
    warnings = [line for line in output.splitlines() if "[IPClusterStart] WARNING" in line]
    for told in (
        f"The preparation of 2 engines failed: {script}, line 3: ZeroDivisionError: division by",
        "failed: exec_lines or startup_command, line 1 (import nosuchmodule): ModuleNotFoundErr",
        "They run without that. More is in ipengine-",
    ):
        assert len([line for line in warnings if told in line]) == 1, output
    code = (
        "import ipyparallel as ipp\n"
        f"view = ipp.Client(profile={profile.name!r})[:]\n"
        "print(view['prepared'], view['then'])"
    )
    assert profile.python(code) == "[1, 1] [2, 2]"

    script.unlink()
    config.write_text(f"{config.read_text()}# another\n")
    output = profile.ipcluster("engines", "-n", "1", "--daemonize", expect=1)
    assert "prepare me.py, which is not on this computer" in output
    assert len(profile.engine_ids()) == 2

    profile.ipcluster("stop")
    logs = "".join(path.read_text() for path in (profile.folder / "log").glob("*ipengine*"))
    assert logs.count("ZeroDivisionError") >= 2
    profile.assert_nothing_left()
