"""Every kind of package of a project arrives on the engines, and what is beside its notebook.

The machines are in a mount namespace where the project, its packages and uv's cache are not.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azure_emulator import client
from tests.forked_client import Server
from tests.project import (
    CONDA,
    EDITABLE,
    GIT,
    PASSWORD,
    PATCHED,
    PRIVATE,
    UV,
    Project,
    hidden_from,
    install,
    make_project,
    run,
)

from .conftest import TWO_LINES, Profile, new_profile
from .test_notebook import Notebook

FEW = ("pandas", "numba", "cloudpickle", "dill", "pytest", "pytest-asyncio")
MANY = (*FEW, *"scipy scikit-learn matplotlib polars pyarrow jupyterlab notebook seaborn".split())
MANY += tuple("statsmodels sympy networkx xarray dask distributed bokeh plotly openpyxl".split())
START_S = 600
ON_EMULATOR = f"""{TWO_LINES}
c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMLauncher.vm_size = "Standard_D2s_v5"
c.AzureVMLauncher.engines_per_vm = 1
"""
DISTRIBUTIONS = """
def versions():
    import importlib.metadata, re
    return {
        re.sub("[-_.]+", "-", item.metadata["Name"]).lower(): item.version
        for item in importlib.metadata.distributions()
    }
"""
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a mount namespace needs root"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    packages = MANY if os.environ.get("IPCLUSTER_AZURE_TEST_COMPLETE") else FEW
    with make_project(tmp_path_factory.mktemp("project"), packages) as project:
        yield project


@pytest.fixture(scope="module")
def stage(
    project: Project, tmp_path_factory: pytest.TempPathFactory, server: Server
) -> Iterator[Profile]:
    """A profile on an emulator whose machines have no way to the project, and the project's
    Python."""
    folder = tmp_path_factory.mktemp("synced")
    state_dir = folder / "emulator"
    caches = [Path(run(UV, "cache", "dir").strip())]
    start = ["ipcluster-azure", "emulator", "start", f"--state-dir={state_dir}"]
    command = hidden_from([project.root, *caches], [str(Path(sys.executable).parent / start[0])])
    subprocess.run([*command, *start[1:], "--idle-timeout-s=86400"], check=True, timeout=60)
    info = client.start(state_dir)
    try:
        with new_profile(folder, info, server) as profile:
            yield replace(profile, bin=project.bin, cwd=project.folder, server=None)
    finally:
        client.stop(state_dir)


@pytest.fixture(scope="module")
def cluster(stage: Profile) -> Iterator[str]:
    """A cluster that `ipcluster start` made in the project's folder, without a setting of its
    Python; gives what the start printed."""
    stage.configure(ON_EMULATOR)
    n = "8" if os.environ.get("IPCLUSTER_AZURE_TEST_COMPLETE") else "2"
    started = stage.run(
        "ipcluster", "start", "--profile=azure", "-n", n, "--daemonize", timeout_s=START_S
    )
    yield started.stdout
    stage.ipcluster("stop")


@pytest.fixture(scope="module")
def notebook(stage: Profile, cluster: str) -> Iterator[Notebook]:
    notebook = Notebook(stage)
    notebook.cell("import ipyparallel as ipp\nrc = ipp.Client(profile='azure')")
    notebook.cell("view = rc[:]\nview.block = True")
    yield notebook
    notebook.close()


def value(notebook: Notebook, code: str) -> object:
    """What the last line of a cell gives, which JSON can carry."""
    *before, last = code.strip().splitlines()
    text = "\n".join([*before, "import json", f"print(json.dumps({last}))"])
    return json.loads(notebook.cell(text).splitlines()[-1])


@needs_root
@pytest.mark.timeout(START_S)
def test_every_distribution_is_the_same_on_every_engine(
    project: Project, notebook: Notebook, cluster: str
) -> None:
    engines = value(notebook, f"{DISTRIBUTIONS}\nview.apply(versions)")
    assert isinstance(engines, list)
    here = project.versions()
    for there in engines:
        different = {name: version for name, version in there.items() if here.get(name) != version}
        assert different == {}
        left_out = set(here) - set(there)
        assert {"ipcluster-azure", "azure-mgmt-compute", "asyncssh"} <= left_out
        assert {EDITABLE, GIT, PRIVATE, PATCHED, CONDA, "pandas", "numba"} <= set(there)
    (said,) = [line for line in cluster.splitlines() if " from the index" in line]
    numbers = re.findall(r"(\d+) (?:packages:|more that they need)", said)
    assert sum(map(int, numbers)) == len(engines[0]), said


@needs_root
@pytest.mark.timeout(START_S)
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "import pandas\nframe = pandas.DataFrame({'a': [1, 2]})\n"
            "[int(n) for n in view.apply(lambda df: df.a.sum(), frame)][:1]",
            [3],
        ),
        ("view.execute('import pandas')\nview.apply(lambda: pandas.NA is not None)[:1]", [True]),
        (
            "import numba\n@numba.njit\ndef square(x):\n    return x * x\n"
            "view.map(square, [2, 3])[:2]",
            [4, 9],
        ),
        ("import lab_tools\nview.map(lab_tools.double, [2, 3])", [4, 6]),
        ("import lab_models\nview.map(lab_models.double, [2, 3])", [4, 6]),
        ("view.apply(lambda: __import__('lab_secret').version)[:1]", ["1.5"]),
        ("view.apply(lambda: __import__('tabulate').MENDED)[:1]", [True]),
        (
            "view.use_cloudpickle()\nfactor = 5\n"
            "result = view.apply((lambda f: lambda: f * 2)(factor))[:1]\n"
            "view.use_pickle()\nresult",
            [10],
        ),
        ("view.use_dill()\nresult = view.apply(lambda: 7)[:1]\nview.use_pickle()\nresult", [7]),
        ("import beside\nview.map(beside.triple, [2, 3])", [6, 9]),
    ],
    ids="frame pandas jit editable git private patched cloudpickle dill module".split(),
)
def test_what_a_notebook_has_the_engines_have(
    notebook: Notebook, code: str, expected: object
) -> None:
    assert value(notebook, code) == expected


@needs_root
@pytest.mark.timeout(START_S)
def test_what_is_installed_since_comes_with_sync(project: Project, notebook: Notebook) -> None:
    before = value(notebook, "rc.ids")
    install(project, "more-itertools==10.5.0")
    said = notebook.cell("%load_ext ipcluster_azure\n%sync")
    added = "1 package added (more-itertools 10.5.0); the engines go on, and can import them."
    assert added in said
    imported = "[*{*view.apply(lambda: __import__('more_itertools').first([3]))}]"
    assert value(notebook, imported) == [3]
    assert value(notebook, "rc.ids") == before

    (module,) = (project.root / "sources").glob("*/lab_tools/__init__.py")
    module.write_text(module.read_text().replace("2 * x", "20 * x"))
    said = notebook.cell("%sync")
    assert "1 package changed (lab-tools 0.3, another wheel of it); engines " in said
    notebook.cell("rc.wait_for_engines(len(before := rc.ids), timeout=60)\nview = rc[:]")
    doubled = "[*{*rc[:].apply_sync(lambda: __import__('lab_tools').double(2))}]"
    assert value(notebook, doubled) == [40]
    assert not {*value(notebook, "rc.ids")} & {*before}
    engines = value(notebook, f"{DISTRIBUTIONS}\nrc[:].apply_sync(versions)")
    for there in engines:
        assert there["more-itertools"] == "10.5.0"


@needs_root
@pytest.mark.timeout(START_S)
def test_no_password_is_left_in_a_file_or_a_log(stage: Profile, cluster: str) -> None:
    assert PASSWORD not in cluster
    places = (stage.folder, Path(stage.emulator.state_dir))
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        if not path.is_socket() and path.stat().st_size < 10_000_000:
            assert PASSWORD.encode() not in path.read_bytes(), path
