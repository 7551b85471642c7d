"""Every recipe of README, tutorial and how-tos, typed as a reader would, and gone on from.

Python runs in one kernel, as in a notebook, and commands in a shell, all on one cluster. Settings
are checked as a start checks them. What can't be run stands in SKIPPED, with the reason.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from traitlets.config import Config

from azure_emulator import client
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from tests.end_to_end.conftest import BIN, ON_EMULATOR, Profile, new_profile, wait_for
from tests.end_to_end.test_notebook import Notebook
from tests.forked_client import fork_server

from .markdown import ROOT, code_blocks, text_of

STEP_TIMEOUT_S = 150.0
STARTING = "docs/reference/commands.md"
PAGES = ["README.md", "docs/tutorial.md", STARTING]
PAGES += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "how-to").glob("*.md"))
WALKED, OTHER = "test_walk_throughs.py types it", "is not typed, but shown"
# a command, or a paragraph of other code, by how it begins -> why it isn't run
SKIPPED = {
    r"(az|export|ssh|scp) ": "needs Azure's own command, or files and addresses of a real computer",
    r"import os\n\nfrom azure\.identity": "front/test_sign_in.py has the same client",
    r"git clone ": "the clone is there",
    r"apt install systemd-container|ip netns exec |ipcluster-azure emulator start --machines=": (
        "needs root, and minutes: tests/machines"
    ),
    r"winget ": "installs Azure's own command",
    r"make |\. \.venv": "the tests run in what that has made",
    r"ipcluster-azure logs engine 0 --follow": "goes on until Ctrl-C; test_see.py",
    r"ipcluster-azure ssh": "needs an OpenSSH client; test_see.py",
    r"pip install ": "test_installed.py installs the package",
    r"python tools/price_table\.py ": "test_price_table.py makes one of the emulator's prices",
    r"ipcluster-azure init --profile=trial": WALKED,
    r"import ipyparallel as ipp\n\nwith ": WALKED,
    r"[\w-]+ (start|stop|notebook|top|status) --profile=trial|python .* --profile=trial": WALKED,
    r"import ipyparallel as ipp\nimport numpy|model = Model\(": WALKED,
    r"import ipyparallel as ipp\n+def where": WALKED,
    r"ipcluster-azure doctor --profile=azure --n=4": "asks for an address that the internet knows",
    r"ipcluster-azure doctor --role --subscription-id=ID": "test_role.py, with an id",
    r"ipcluster start --profile=azure -n \d+( --daemonize)?$": "the cluster runs already",
    r"ipcluster stop --profile=azure$": "the cluster is that of all pages",
    r"import ipyparallel as ipp\n\nclient = ipp.Client\(\)": "test_jupyterlab.py, there",
    r"ipcluster-azure (create|deploy|delete) ": "the cluster runs already; test_steps.py types it",
    r"cluster = .*\nclient = await .*\n\.\.\.": "notebook.md has it, too, in pieces",
    r"ipcluster-azure reap --name=": "names a cluster; test_reap.py has one",
    r"python -m ipcluster_azure.examples.*--profile=azure --paths=1e7": "test_pricer_command.py",
    r"(ok|engine set|failed|Python 3\.\d+ on|1 package|9 machines,) ": OTHER,
    r"azure_controller|az deployment": OTHER,
    r"ipcluster-azure (template|attach --resource|init --profile=far)": "test_job_files.py does",
    r"import ipyparallel as ipp\nclient = ipp.Client\(profile=\"far\"\)": "test_job_files.py does",
}
# of one page: what its reader has typed before
CLIENT = "import ipyparallel as ipp\nclient = ipp.Client(profile='azure')\n"
BEFORE = {
    "docs/how-to/add-engines.md": CLIENT,
    "docs/how-to/notebook.md": "def f(x): return x * x",
    "docs/how-to/own-code.md": CLIENT,
    "docs/how-to/several-clusters.md": "import ipyparallel as ipp",
    "docs/how-to/spot.md": CLIENT,
}
KNOWN = "assert len(ipp.Client(profile='azure').ids) == {}"
# a paragraph of code, by what is in it -> how its reader goes on
AFTER = {
    "map_sync(lambda x: x**10, range(1000))": "print(client.ids)",
    "cluster.start_engines_sync(": KNOWN.format(5),
    "cluster.stop_engines_sync(list": KNOWN.format(4),
    "cluster.restart_engines_sync()": KNOWN.format(4),
    "client.send_signal(2)": "for it in list(cluster.engines)[1:]: cluster.stop_engines_sync(it)",
    "view = client.load_balanced_view()": "assert view.map_sync(abs, [-3]) == [3]",
    "result.wait_interactive()": "assert result.get() == [x * x for x in range(1000)]",
    "await cluster.connect_client()": "assert client[:].map_sync(f, [3, 4]) == [9, 16]",
    'client = ipp.Client(profile="azure")\n': "assert client.ids == [0, 1]",
    "mymodule.double(x) * rate": "assert client[:].map_sync(task, [3]) == [18]",
    'cluster_id="small")': "assert client.ids == [0]",
    "load_balanced_view(retries=3)": "assert view.apply_sync(len, 'abc') == 3",
}
# what a reader puts in for the dots, and fewer engines than in the text
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft."
FILLED = {
    "/subscriptions/.../galleries": f"{ID}Compute/galleries",
    "/subscriptions/.../resourceGroups": "/subscriptions/s/resourceGroups",
    '"..."': f'"{ID}Network/virtualNetworks/n/subnets/s"',
}
FEWER = {r"-n \d+": "-n 1", r"\bn=\d+": "n=2", r"start_engines_sync\(\d+": "start_engines_sync(1"}
SHELL = (
    "ipcluster",
    "startup=",
    "git ",
    "pip ",
    "az ",
    "export ",
    "ssh ",
    "scp ",
    "make ",
    "python ",
)


@dataclass
class Reader:
    """Somebody with a folder, a shell and a notebook, whose cluster runs."""

    profile: Profile
    notebook: Notebook
    folder: Path

    def shell(self, code: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", code],
            cwd=self.folder,
            env={
                **self.profile._environment(),
                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
                "BROWSER": "true",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"


def _paragraphs(page: str) -> list[str]:
    """The code of a page, its blocks cut where a reader goes from a shell to Python or back."""
    found = []
    for block in code_blocks(text_of(ROOT / page)):
        parts = re.split(r"\n\n+(?=ipcluster|import |c\.)", block)
        found += [part.strip("\n") for part in parts]
    return found


def _is_settings(code: str) -> bool:
    return code.startswith("c.")


def _to_run(code: str) -> str:
    """What of a paragraph is run, with fewer engines; empty if nothing is."""
    units = code.splitlines() if code.startswith(SHELL) else [code]
    kept = [unit for unit in units if not any(re.match(begin, unit) for begin in SKIPPED)]
    code = "\n".join(kept)
    for pattern, fewer in FEWER.items():
        code = re.sub(pattern, fewer, code)
    return code


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Started as docs/reference/commands.md does it for Windows: it outlives the program."""
    emulator = client.start(tmp_path / "emulator", idle_timeout_s=86_400)
    try:
        with (
            fork_server(tmp_path / "clients") as server,
            new_profile(tmp_path, emulator, server) as profile,
        ):
            profile.configure(ON_EMULATOR)
            (tmp_path / "mymodule.py").write_text("def double(x):\n    return 2 * x\n")
            (tmp_path / "mypkg").mkdir()
            (tmp_path / "mypkg" / "__init__.py").touch()
            (tmp_path / "mypkg" / "rates.py").write_text("rate = 3\n")
            starter, notebook = Notebook(profile, tmp_path), Notebook(profile, tmp_path)
            starter.cell(_to_run(_paragraphs(STARTING)[0]))
            starter.close()
            yield Reader(profile, notebook, tmp_path)
            notebook.close()
            profile.ipcluster("stop")
            wait_for(lambda: not any(profile.left_on_azure().values()), STEP_TIMEOUT_S)
    finally:
        client.stop(emulator.state_dir)


@pytest.mark.timeout(900)  # three clusters one after the other, and more engines
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_each_page_typed_from_top_to_bottom(reader: Reader) -> None:
    for page in PAGES:
        reader.notebook.cell(f"%reset -f\n{BEFORE.get(page, '')}")
        for code in _paragraphs(page):
            if _is_settings(code) or page == STARTING:
                continue
            if code.startswith(SHELL):
                reader.shell(_to_run(code))
            elif todo := _to_run(code):
                reader.notebook.cell(todo)
            for part, after in AFTER.items():
                if part in code:
                    reader.notebook.cell(after)


@pytest.mark.parametrize(
    "code", [code for page in PAGES for code in _paragraphs(page) if _is_settings(code)]
)
def test_settings_are_taken(code: str) -> None:
    for dots, full in FILLED.items():
        code = code.replace(dots, full)
    config = Config()
    exec(compile(code, "recipe", "exec"), {"c": config})  # noqa: S102 - the project's own text
    for kind in (AzureVMControllerLauncher, AzureVMEngineSetLauncher):
        kind(config=config).settings()


def test_nothing_is_skipped_or_gone_on_from_in_vain() -> None:
    codes = [code for page in PAGES for code in _paragraphs(page)]
    units = [*codes, *(line for code in codes for line in code.splitlines())]
    assert [begin for begin in SKIPPED if not any(re.match(begin, it) for it in units)] == []
    assert [part for part in AFTER if not any(part in it for it in codes)] == []
