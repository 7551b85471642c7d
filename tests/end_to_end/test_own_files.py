"""The user's own modules and files on the engines: at the start, after an edit, and results home.

The emulator's machines share this computer's disk. So the folder here is away while engines import.
"""

import _bisect
import importlib.machinery
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import ipyparallel as ipp
import pytest

from azure_emulator.testing import fault, faults
from ipcluster_azure.clusters.sync_packages import OF_IMAGE
from ipcluster_azure.record.contents import Machine
from ipcluster_azure.record.file import RecordFile

from .conftest import ON_EMULATOR, Profile, wait_for
from .test_caretaker import record_of
from .test_network_cut import INSTANCE
from .test_notebook import Notebook

OWN = 'c.AzureVMLauncher.sync_paths = ["auto", "data.csv"]\n'
MODULE = "from mypkg.inner import g\nVALUE = {value}\ndef f(x): return g(x) + VALUE\n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder as it lies beside a notebook."""
    folder = tmp_path / "work"
    (folder / "mypkg").mkdir(parents=True)
    (folder / "mypkg" / "__init__.py").touch()
    (folder / "mypkg" / "inner.py").write_text("def g(x): return 10 * x\n")
    (folder / "mymodule.py").write_text(MODULE.format(value=1))
    (folder / "data.csv").write_text("1,2,3")
    return folder


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Put a folder where nobody knows it."""
    other = folder.with_name("away")
    folder.rename(other)
    try:
        yield
    finally:
        other.rename(folder)


START = "import ipyparallel as ipp\ncluster = ipp.Cluster(profile='azure', n=2)\n"
TASKS = """
import mymodule
def task(x):
    import mymodule
    return mymodule.f(x), open("data.csv").read()
def own(x):
    return sum(map(mymodule.f, range(x)))
"""
ENGINES_NAMES = "rc[:].execute('import mymodule; from mymodule import f', block=True)"
BY_NAME = "rc[:].execute('a = f(4), mymodule.f(4)', block=True); print(rc[:]['a'])"
MISTAKE = """
try:
    get_ipython().run_line_magic("sync", "--to=x")
except Exception as error:
    print(type(error).__name__, error)
"""
REPLACED = """
import asyncio, time
before, until = rc.ids, time.monotonic() + 30
rc[0].execute("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
while (rc.ids == before or len(rc.ids) < 2) and time.monotonic() < until:
    await asyncio.sleep(0.05)
print(rc.ids[-1] not in before, rc[rc.ids[-1]].apply_sync(task, 4))
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_modules_beside_a_notebook(bare_profile: Profile, work: Path) -> None:
    bare_profile.configure(ON_EMULATOR + OWN)
    notebook = Notebook(bare_profile, work)
    try:
        notebook.cell(f"{START}rc = await cluster.start_and_connect()\n{TASKS}")
        with away(work):
            assert notebook.cell("print(rc[:].apply_sync(task, 4)[0])") == "(41, '1,2,3')\n"
            assert notebook.cell("print(rc[:].map_sync(task, [1])[0])") == "(11, '1,2,3')\n"
            assert notebook.cell("print(rc[:].apply_sync(mymodule.f, 2))") == "[21, 21]\n"
            notebook.cell(ENGINES_NAMES)
        (work / "mymodule.py").write_text(MODULE.format(value=2))  # as long as before
        (work / "data.csv").write_text("4,5,6")
        said = notebook.cell("%load_ext ipcluster_azure\n%sync").splitlines()
        assert said == [
            OF_IMAGE,
            f"Sent data.csv, mymodule.py (0.0 MB); now on 1 machine: 4 files of {work}.",
            "Each engine imports your modules anew at its next task.",
        ]
        with away(work):
            assert notebook.cell("print(rc[:].apply_sync(task, 4)[0])") == "(42, '4,5,6')\n"
            assert notebook.cell("print(rc[:].apply_sync(mymodule.f, 2))") == "[22, 22]\n"
            assert notebook.cell("print(rc[:].map_sync(own, [2, 3]))") == "[14, 36]\n"
            assert notebook.cell(BY_NAME) == "[(42, 42), (42, 42)]\n"
            assert notebook.cell(REPLACED) == "True (42, '4,5,6')\n"
            notebook.cell("more = await cluster.start_engines(1); rc.wait_for_engines(3)")
            assert notebook.cell("print(rc[rc.ids[-1]].apply_sync(task, 4))") == "(42, '4,5,6')\n"
        said = notebook.cell("%sync").splitlines()
        assert said == [OF_IMAGE, f"Nothing has changed; now on 2 machines: 4 files of {work}."]
        assert notebook.cell(MISTAKE) == "UsageError %sync: --to has no effect without --back.\n"
        notebook.cell("await cluster.stop_cluster()")
    finally:
        notebook.close()
    bare_profile.assert_nothing_left()


def machines_of(profile: Profile) -> list[Machine]:
    (engine_set,) = record_of(profile).engine_sets.values()
    return engine_set.machines


def _has_a_loop(pid: int) -> bool:
    """Whether a process runs coroutines, which have been asked to end at Ctrl-C."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if "eventpoll" in os.readlink(path):
                return True
    return False


def f_of_3(view: ipp.DirectView) -> list[int]:
    view.execute("import mymodule; x = mymodule.f(3)", block=True)
    values: list[int] = view["x"]
    return values


def sync(profile: Profile, *words: str, expect: int = 0) -> str:
    """What the command prints, from a folder that is none of the user's files."""
    name = f"--profile={profile.name}"
    return profile.run("ipcluster-azure", "sync", name, *words, expect=expect).stdout.strip()


def test_a_running_cluster_is_brought_up_to_date(bare_profile: Profile, work: Path) -> None:
    profile = bare_profile
    profile.configure(f"{ON_EMULATOR}{OWN}c.AzureVMLauncher.engines_per_vm = 1\n")
    nothing = sync(profile, expect=1)
    assert "There is no cluster on record in profile azure" in nothing
    compiled = work / "mypkg" / f"_bisect{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    shutil.copy(_bisect.__file__, compiled)
    (work / "colorsys.py").touch()
    profile.cwd = work
    said = profile.ipcluster("start", "-n", "2", "--daemonize")
    assert said.count("colorsys among your modules hides Python's own of that name") == 1
    profile.cwd = None
    with profile.client() as client:
        view = client[:]
        load = "import mypkg._bisect, os; print(mypkg._bisect.__file__)"
        client[0].execute(load, block=True)

        (work / "mypkg" / "inner.py").unlink()
        (work / "mymodule.py").write_text("def f(x): return -x\n")
        busy = view.apply_async(time.sleep, 60)
        said = sync(profile, expect=1)
        assert "Nothing was changed, as engines compute: 0, 1." in said
        client.send_signal(signal.SIGINT, block=True)
        wait_for(busy.ready)
        said = sync(profile)
        assert "Sent mymodule.py (0.0 MB), removed mypkg/inner.py; now on 2 machines" in said
        assert f_of_3(view) == [-3, -3]

        with open(compiled, "ab") as file:  # which is another one then
            file.write(b"\0")
        said = sync(profile)
        assert "Engines with an old compiled module were started anew: 0 is 2 now." in said
        wait_for(lambda: sorted(client.ids) == [1, 2])
        client[2].execute(load, block=True)

    (work / "mymodule.py").write_text("def f(x): return 7 * x\n")
    with RecordFile.of(str(profile.folder), "").sync_lock():  # as another sync has it
        process = profile.popen("ipcluster-azure", "sync", f"--profile={profile.name}")
        wait_for(lambda: _has_a_loop(process.pid), 60)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines() == [
        "ipcluster-azure: not all machines may have been reached. The same command goes on with "
        "the others.",
        "ipcluster-azure: interrupted.",
    ]
    with faults(profile.emulator, fault("no_network", type=INSTANCE, running=True, for_s=14)):
        time.sleep(1)
        began = time.monotonic()
        said = sync(profile, expect=1)
        assert "Sent mymodule.py (0.0 MB); now on 1 machine: " in said
        (name,) = re.findall(r"^ipcluster-azure: (\S+) did not answer", said, re.MULTILINE)
        assert name in {machine.name for machine in machines_of(profile)}
        time.sleep(max(0.0, began + 14 - time.monotonic()))
    assert "Sent again what was missing on 1 machine; now on 2" in sync(profile)
    with profile.client() as client:
        assert f_of_3(client[:]) == [21, 21]

    (work / "more.csv").write_text("new")
    profile.configure((profile.folder / "ipcluster_config.py").read_text() + MORE)
    assert "\nSent more.csv (0.0 MB); now on 2 machines" in sync(profile)
    (work / "data.csv").unlink()
    assert "there is no 'data.csv'" in sync(profile, expect=1)
    said = sync(profile, f"--from={work / 'gone'}", expect=1)
    assert f"{work / 'gone'} is gone" in said
    profile.ipcluster("stop")
    profile.assert_nothing_left()


MORE = 'c.AzureVMLauncher.sync_paths = ["auto", "data.csv", "more.csv"]\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--back"], '--back needs patterns: --back "results/*.csv".'),
        (["--to=x"], "--to has no effect without --back."),
        (["--back", "x", "--force"], "--force has no effect with --back."),
        (["x.csv"], "'x.csv' is not one of its options"),
        (["--back", "x", "--to", "y", "z"], "'z' is not one of its options"),
    ],
)
def test_a_mistake_is_one_line(profile: Profile, words: list[str], said: str) -> None:
    (line,) = sync(profile, *words, expect=2).splitlines()
    assert line.startswith(f"ipcluster-azure: sync: {said}")


def test_what_can_not_be_sent_is_refused_before_anything_is_made(
    bare_profile: Profile, work: Path
) -> None:
    bare_profile.cwd = work
    (work / "mypkg" / "large.py").write_bytes(b"#" * 1_500_000)
    limit = "c.AzureVMLauncher.sync_limit_mb = 1\n"
    for settings, reason in [
        ('c.AzureVMLauncher.sync_paths = ["gone.csv"]\n', "there is no 'gone.csv' in"),
        (OWN + limit, "the largest: mypkg/large.py (1.5 MB)"),
    ]:
        bare_profile.configure(ON_EMULATOR + settings)
        assert reason in bare_profile.ipcluster("start", "-n", "1", expect=1)
        bare_profile.assert_nothing_left()


RESULTS = """
import os, pathlib
pathlib.Path("results").mkdir(exist_ok=True)
pathlib.Path(f"results/{os.getpid()}.csv").write_text("1,2")
pathlib.Path("results/large.bin").write_bytes(bytes(2_000_000))
"""


def test_results_are_brought_home(bare_profile: Profile, work: Path, tmp_path: Path) -> None:
    profile = bare_profile
    back = 'c.AzureVMLauncher.sync_back = ["results/*.csv"]\n'
    profile.configure(f"{ON_EMULATOR}{OWN}{back}c.AzureVMLauncher.engines_per_vm = 1\n")
    profile.cwd = work
    profile.ipcluster("start", "-n", "2", "--daemonize")
    with profile.client() as client:
        client[:].execute(RESULTS, block=True)
    names = {machine.name for machine in machines_of(profile)}
    to = f"--to={tmp_path / 'home'}"
    said = sync(profile, "--back", "results/*", to, "--limit-mb=3", expect=1)
    assert "4 files with 4.0 MB are more than 3 MB" in said
    assert not (tmp_path / "home").exists()
    said = sync(profile, "--back", "**/*.csv", to)
    assert f"2 files brought to {tmp_path / 'home'}/MACHINE" in said
    files = sorted((tmp_path / "home").glob("*/results/*.csv"))
    assert {path.parts[-3] for path in files} == names
    assert [path.read_text() for path in files] == ["1,2", "1,2"]
    files[0].write_text("mine")
    said = sync(profile, "--back", "**/*.csv", to)
    assert "1 file brought" in said
    assert "as they were: 1" in said
    assert f"Replaced what was there before: {files[0].parts[-3]}/results/{files[0].name}" in said
    assert sync(profile, "--back", "nothing*", to) == "No file of the engines matches."

    with faults(profile.emulator, fault("no_network", type=INSTANCE, running=True, for_s=60)):
        time.sleep(1)
        said = profile.ipcluster("stop")
    assert f"1 file brought to {work / 'from-engines'}/MACHINE" in said
    (file,) = (work / "from-engines").glob("*/results/*.csv")
    assert file.read_text() == "1,2"
    (silent,) = names - {file.parts[-3]}
    assert f"Results could not be brought home: {silent} did not answer over SSH" in said
    profile.assert_nothing_left()
