"""What breaks after Azure has accepted: the reason is said, and nothing is left."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azure_emulator import client

from ..complete import variant
from .conftest import IMAGE, TWO_LINES, Profile

# in a configuration, which is tried on this computer as well
ON_MACHINE = "'/.ipcluster-azure/' in os.environ.get('IPYTHONDIR', '')"
MINIMAL = 'c.AzureVMLauncher.python_environment = "minimal"\n'
EMULATED = f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n'


def _failed_start(profile: Profile, config: str, n: int = 1) -> str:
    profile.configure(f"{EMULATED}{config}")
    output = profile.ipcluster("start", f"--n={n}", "--daemonize", expect=1)
    assert "undoing what was created" in output
    profile.assert_nothing_left()
    return output


def test_a_package_that_does_not_exist(bare_profile: Profile) -> None:
    missing = 'c.AzureVMLauncher.requirements = ["no-such-package-0a1b2c"]\n'
    bare_profile.configure(f"{EMULATED}{MINIMAL}{missing}")
    output = bare_profile.ipcluster("start", "--n=1", "--daemonize", expect=1)
    assert "no-such-package-0a1b2c was not found in the package registry" in output
    assert "Requesting" not in output
    bare_profile.assert_nothing_left()


def test_an_interpreter_without_ipyparallel(bare_profile: Profile) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("there is no other Python on this machine")
    output = _failed_start(
        bare_profile,
        'c.AzureVMLauncher.python_environment = "image"\n'
        f"c.AzureVMLauncher.image_python = {python!r}\n",
    )
    assert "ipyparallel" in output


def test_other_versions_than_here(bare_profile: Profile, tmp_path: object) -> None:
    # the engines' side claims what the installed package does not: found before the first task
    code = (
        "import ipcluster_azure.ssh.environment as e\n"
        "e._version = lambda package: '8.8.0'\n"
        "import sys; sys.argv = ['ipcluster', 'start', '--profile=azure', '-n', '1']\n"
        "from ipyparallel.cluster.app import main; main()\n"
    )
    bare_profile.configure(f"{EMULATED}{IMAGE}")
    output = bare_profile.run("python", "-c", code, expect=1).stdout
    assert re.search(r"runs Python [\d.]+ with ipyparallel \S+, this computer", output)
    bare_profile.assert_nothing_left()


def _one_engine_fails(profile: Profile, config: str) -> None:
    """Whichever engine on a machine reads its configuration first ends with status 7."""
    profile.configure(f"{EMULATED}{IMAGE}{config}")
    marker = profile.ipython_dir / "first"
    (profile.folder / "ipengine_config.py").write_text(
        f"import os\nif {ON_MACHINE}:\n"
        f"    try: os.mkdir({str(marker)!r})\n"
        "    except FileExistsError: pass\n"
        "    else: os._exit(7)\n"
    )


def test_one_engine_missing_fails_the_start(bare_profile: Profile) -> None:
    _one_engine_fails(bare_profile, "")
    output = bare_profile.ipcluster("start", "-n", "6", "--daemonize", expect=1)
    assert "5 of 6 engines registered" in output
    assert "exited with 7" in output
    bare_profile.assert_nothing_left()


def test_one_engine_missing_is_said_where_the_minimum_allows_it(bare_profile: Profile) -> None:
    _one_engine_fails(bare_profile, "c.AzureVMLauncher.min_engines = 4\n")
    output = bare_profile.ipcluster("start", "-n", "6", "--daemonize")
    assert "5 of 6 engines registered" in output
    assert "exited with 7" in output
    assert len(bare_profile.engine_ids()) == 5
    bare_profile.ipcluster("stop")
    bare_profile.assert_nothing_left()


def test_a_controller_that_does_not_start(bare_profile: Profile) -> None:
    (bare_profile.folder / "ipcontroller_config.py").write_text(
        f"import os\nif {ON_MACHINE}:\n    print('a mistake', flush=True)\n    os._exit(9)\n"
    )
    output = _failed_start(bare_profile, IMAGE)
    assert "a mistake" in output


def test_an_unreadable_key_is_named_and_stop_still_works(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    (profile.folder / "security" / "azure-.key").write_text("no key\n")
    output = profile.ipcluster("engines", "-n", "1", "--daemonize", expect=1)
    assert "azure-.key can't be read" in output
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_the_profile_reaches_the_machines(bare_profile: Profile) -> None:
    """ipengine_config.py, startup files, engine_args and environment, with odd characters."""
    odd = 'it\'s; rm -rf "$HOME" `x` ü'
    bare_profile.configure(
        f"{EMULATED}{IMAGE}"
        f"c.AzureVMEngineSetLauncher.environment = {{'ODD': {odd!r}}}\n"
        "c.AzureVMEngineSetLauncher.engine_args = ['--IPEngine.startup_command=from_args = 1']\n"
    )
    startup = bare_profile.folder / "startup"
    startup.mkdir(exist_ok=True)
    (startup / "00-mine.py").write_text("from_startup = 2\n")
    bare_profile.ipcluster("start", "-n", "1", "--daemonize")
    output = bare_profile.python(
        "import ipyparallel as ipp, os\n"
        f"view = ipp.Client(profile={bare_profile.name!r})[:]\n"
        "print(view.apply_sync(os.getenv, 'ODD')[0])\n"
        "print(view['from_args'], view['from_startup'])"
    )
    assert output.splitlines() == [odd, "[1] [2]"]
    bare_profile.ipcluster("stop")
    bare_profile.assert_nothing_left()


def test_engines_added_later_get_the_profile_as_it_is_then(profile: Profile) -> None:
    config = profile.folder / "ipengine_config.py"
    config.write_text("import os; os.environ['MARK'] = 'first'\n")
    profile.ipcluster("start", "-n", "1", "--daemonize")
    config.write_text("import os; os.environ['MARK'] = 'second'\n")
    profile.ipcluster("engines", "-n", "1", "--daemonize")
    code = (
        "import os, ipyparallel as ipp\n"
        f"client = ipp.Client(profile={profile.name!r})\n"
        "print(*client[:].apply_sync(lambda: __import__('os').environ['MARK']))\n"
    )
    assert profile.python(code) == "first second"
    profile.ipcluster("stop")
    profile.assert_nothing_left()


@variant  # of test_same_python
def test_the_same_python_runs_everywhere(bare_profile: Profile) -> None:
    bare_profile.configure(
        f'{EMULATED}{MINIMAL}c.AzureVMLauncher.requirements = ["colorama==0.4.6"]\n'
    )
    bare_profile.ipcluster("start", "-n", "1", "--daemonize")
    output = bare_profile.python(
        "import ipyparallel as ipp\n"
        f"view = ipp.Client(profile={bare_profile.name!r})[:]\n"
        "view.execute('import sys, numpy, colorama, ipyparallel', block=True)\n"
        "print(view.pull('ipyparallel.__version__', block=True), ipp.__version__)\n"
        "print(view.pull('colorama.__version__', block=True))\n"
        "print(view.pull('sys.version_info[:2]', block=True), view.pull('sys.prefix', block=True))"
    ).splitlines()
    versions, colorama, place = output
    assert len(set(re.findall(r"[\d.]+\d", versions))) == 1
    assert "0.4.6" in colorama
    assert str(tuple(sys.version_info[:2])) in place
    assert ".ipcluster-azure/env" in place
    bare_profile.ipcluster("stop")
    bare_profile.assert_nothing_left()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


def test_a_full_disk(bare_profile: Profile, small_disk: Path) -> None:
    info = client.start(small_disk)
    try:
        profile = replace(bare_profile, emulator=info)
        profile.configure(f"{EMULATED}{MINIMAL}")
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
        assert re.search(r"the controller: the disk of [\d.]+ GB is full: set os_disk_gb", output)
        profile.assert_nothing_left()
    finally:
        client.stop(small_disk)
