"""`ipcluster-azure notebook`: JupyterLab on the controller's machine, as a browser sees it."""

import json
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from ..complete import variant
from ..real_machines import home_files, id_here
from .conftest import ON_EMULATOR, TWO_LINES, Profile, wait_for
from .jupyter import TIMEOUT_S, Jupyter, browsing, needs_chromium
from .test_caretaker import record_of
from .test_see import interrupted, until_said

OWN = 'c.AzureVMLauncher.sync_paths = ["lab_model.py", "prices.csv"]\n'
FROM_A_CELL = """
import os, ipyparallel as ipp, lab_model
rc = ipp.Client()
assert rc.profile == "default", rc.profile
rc.wait_for_engines(2, timeout=60, interactive=False)
print(rc[:].apply_sync(lambda: __import__("lab_model").double(4)), lab_model.double(1))
print(open("prices.csv").read())
from ipcluster_azure.examples.monte_carlo_options import Model, price_surface
surface = price_surface(Model(spot=100, rate=0.05, maturity_years=1, n_fixings=4), 100, 0.25,
                        n_paths=20_000, client=rc)
print(round(surface.prices["european_call"].item(), 1))
"""


def opened(profile: Profile) -> Jupyter:
    command = ("ipcluster-azure", "notebook", f"--profile={profile.name}", "--no-browser")
    return Jupyter(profile.run(*command, timeout_s=TIMEOUT_S).stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def lab(shared_profile: Profile) -> Iterator[Jupyter]:
    """JupyterLab beside a cluster that has files of the user's."""
    profile = shared_profile
    profile.configure(f"{ON_EMULATOR}{OWN}")
    profile.cwd = profile.ipython_dir.parent / "work"
    profile.cwd.mkdir()
    (profile.cwd / "lab_model.py").write_text("def double(x): return 2 * x\n")
    (profile.cwd / "prices.csv").write_text("1,2,3")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    for home in Path(profile.emulator.state_dir).glob("machines/*/home/*"):
        (home / "random.py").write_text("raise SystemExit('not the one of Python')\n")
    lab = opened(profile)
    yield lab
    server = server_of(profile)
    profile.ipcluster("stop")
    wait_for(lambda: not runs(server), TIMEOUT_S)
    profile.assert_nothing_left()
    with pytest.raises(requests.ConnectionError):
        lab.ask("GET", "/api")


def server_of(profile: Profile) -> int:
    """Return the process id of JupyterLab, as its machine has noted it."""
    (noted,) = home_files(profile.emulator.state_dir, ".ipcluster-azure/notebook/server.json")
    return id_here(json.loads(noted.read_text())["pid"], "jupyter")


def runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def everything_said(profile: Profile) -> dict[str, bytes]:
    """Arguments of all processes, and the logs of this computer and of the machines."""
    said = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            said[str(process.pid)] = " ".join(process.cmdline()).encode()
    for place in (profile.folder / "log", Path(profile.emulator.state_dir)):
        for path in place.rglob("*.log"):
            with suppress(OSError):
                said[str(path)] = path.read_bytes()
    return said


def test_a_kernel_finds_the_cluster_the_files_and_the_pricer(lab: Jupyter) -> None:
    names = {entry["name"] for entry in lab.get("/api/contents")["content"]}
    assert {"lab_model.py", "prices.csv", "monte_carlo_options.ipynb"} <= names
    kernels = lab.get("/api/kernelspecs")
    assert kernels["kernelspecs"][kernels["default"]]["spec"]["display_name"] == (
        "Python of the engines"
    )
    engines, prices, price = lab.run(FROM_A_CELL).splitlines()
    assert engines == "[8, 8] 2"
    assert prices == "1,2,3"
    assert 11 < float(price) < 14  # 12.3 by the formula


def test_it_opens_with_its_token_alone_and_says_that_nowhere(
    shared_profile: Profile, lab: Jupyter
) -> None:
    assert lab.ask("GET", "/api/contents").status_code == 200
    for wrong in ("", "x" * len(lab.token)):
        assert lab.ask("GET", "/api/contents", token=wrong).status_code == 403
    stranger = {"Host": "rebound.example.com"}  # a page that has led its own name here
    answer = requests.get(lab.link, headers=stranger, timeout=TIMEOUT_S)
    assert answer.status_code == 403
    said = everything_said(shared_profile)
    assert any(b"jupyterlab" in text for text in said.values())
    assert [name for name, text in said.items() if lab.token.encode() in text] == []
    page = shared_profile.folder / "security" / "azure-.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert lab.link in page.read_text()


def test_it_offers_no_clusters_of_its_own_and_asks_nobody_for_news(lab: Jupyter) -> None:
    assert lab.ask("GET", "/ipyparallel/clusters").status_code == 404
    config = lab.ask("GET", "/lab").text.partition('id="jupyter-config-data"')[2]
    config = json.loads(config.partition(">")[2].partition("</script>")[0])
    disabled = set(config["disabledExtensions"])
    assert "ipyparallel-labextension" in disabled
    assert "@jupyterlab/apputils-extension:announcements" in disabled
    assert config["news"] == {"disabled": True}


@needs_chromium
def test_a_browser_shows_it_and_asks_nobody_else(lab: Jupyter) -> None:
    with browsing() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(lab.link)
        page.wait_for_selector(".jp-Launcher")
        page.get_by_title("monte_carlo_options.ipynb").first.wait_for()
        assert page.get_by_title("Python of the engines").count() > 0
        assert page.locator(".ipp-Sidebar").count() == 0
        hosts = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {f"127.0.0.1:{lab.port}"}


def test_the_same_link_again_and_what_was_edited_there_stays(
    shared_profile: Profile, lab: Jupyter, tmp_path: Path
) -> None:
    profile = shared_profile
    assert profile.cwd is not None
    written = {"type": "file", "format": "text", "content": "4,5,6"}
    assert lab.ask("PUT", "/api/contents/prices.csv", **written).ok
    cells = {"type": "notebook", "content": {"cells": [], "metadata": {}, "nbformat": 4}}
    cells["content"]["nbformat_minor"] = 5  # type: ignore[index]
    assert lab.ask("PUT", "/api/contents/mine.ipynb", **cells).ok
    for name, text in {"prices.csv": "7", "lab_model.py": "def double(x): return x + x\n"}.items():
        (profile.cwd / name).write_text(text)
    profile.run("ipcluster-azure", "sync", "--profile=azure")
    command = ("ipcluster-azure", "notebook", "--profile=azure", "--no-browser")
    *said, link = profile.run(*command, timeout_s=TIMEOUT_S).stdout.splitlines()
    assert link == lab.link
    (kept,) = (line for line in said if "edited there" in line)
    assert kept.endswith(": prices.csv")
    assert lab.get("/api/contents/prices.csv")["content"] == "4,5,6"
    assert "x + x" in lab.get("/api/contents/lab_model.py")["content"]

    back = ("sync", "--profile=azure", "--back", "*.ipynb", "*.csv", f"--to={tmp_path}")
    profile.run("ipcluster-azure", *back)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "controller"
    assert {path.name for path in folder.iterdir()} == {"mine.ipynb", "prices.csv"}


def test_the_link_is_good_after_deaths_and_ctrl_c(shared_profile: Profile, lab: Jupyter) -> None:
    before = record_of(shared_profile)
    psutil.Process(before.link_pid).kill()
    wait_for(lambda: record_of(shared_profile).link_pid != before.link_pid, TIMEOUT_S)
    assert lab.ask("GET", "/api/contents").status_code == 200
    psutil.Process(server_of(shared_profile)).kill()
    starting = shared_profile.popen("ipcluster-azure", "notebook", "--profile=azure")
    until_said(starting, "Starting JupyterLab")
    interrupted(starting)
    assert opened(shared_profile) == lab
    assert lab.get("/api/contents")["type"] == "directory"


@variant  # tests/unit/ssh/test_notebook.py has the installation, of smaller packages
@pytest.mark.timeout(600)
def test_an_installation_of_its_own_and_its_end(bare_profile: Profile) -> None:
    profile = bare_profile
    command = ("ipcluster-azure", "notebook", "--profile=azure", "--no-browser")
    missing = profile.run(*command, expect=1).stdout
    assert "There is no cluster on record in profile azure" in missing
    profile.configure(
        f"{TWO_LINES}c.AzureVMLauncher.endpoint = 'emulator'\n"
        "c.AzureVMLauncher.python_environment = 'minimal'\n"
    )
    profile.ipcluster("start", "-n", "1", "--daemonize")
    *said, link = profile.run(*command, timeout_s=300).stdout.splitlines()
    assert any("installing it beside that" in line for line in said)
    lab = Jupyter(link)
    look = "__import__('importlib.util').util.find_spec('jupyterlab')"
    there = f"__import__('ipyparallel').Client()[:].apply_sync(eval, {look!r})"
    assert lab.run(f"print({look}, {there})") == "None [None]\n"
    profile.ipcluster("stop")
    profile.assert_nothing_left()
    with pytest.raises(requests.ConnectionError):
        lab.ask("GET", "/api")
