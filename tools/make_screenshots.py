"""Makes the pictures of the documentation: docs/images/*.png, of a cluster on the emulator.

    python tools/make_screenshots.py

Needs Debian's chromium and the extras emulator, examples and test; takes about a minute. Look at
the pictures before you commit them.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
BIN = Path(sys.executable).parent
PROFILE = "azure"
CONFIG = f"""
c.AzureVMLauncher.python_environment = "image"
c.AzureVMLauncher.image_python = {sys.executable!r}
c.Cluster.n = 4
"""
COLOURS = 64  # a quarter of the bytes, and no difference that a reader would see
SIZE = {"width": 1000, "height": 620}  # pixels
TIMEOUT_S = 60
SETTLES_MS = 1000  # what moves on a page after a click
QUIET = "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"


class Stage:
    """A folder with all that the commands read and write; nothing of the user's is touched."""

    def __init__(self, folder: Path) -> None:
        folders = {
            "IPYTHONDIR": "ipython",
            "XDG_DATA_HOME": "data",
            "IPCLUSTER_AZURE_EMULATOR_STATE_DIR": "emulator",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_RUNTIME_DIR": "runtime",
        }
        self.folder = folder / "work"  # empty: the user's files that go along are those of it
        self.folder.mkdir()
        self.environment = {**os.environ, "JUPYTER_TOKEN": "screenshots"}
        for name, inside in folders.items():
            self.environment[name] = str(folder / inside)
            (folder / inside).mkdir(mode=0o700)
        (folder / "config" / "labconfig").mkdir()
        page = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (folder / "config" / "labconfig" / "page_config.json").write_text(json.dumps(page))

    def run(self, *command: str) -> str:
        """Run a command of ours to its end; returns its standard output."""
        words = [str(BIN / command[0]), *command[1:]]
        done = subprocess.run(
            words, env=self.environment, cwd=self.folder, check=True, stdout=subprocess.PIPE
        )
        return done.stdout.decode()

    @contextmanager
    def jupyterlab(self) -> Iterator[str]:
        """JupyterLab of this computer, with its panel; gives a link to it."""
        options = [
            "--port=0",
            "--no-browser",
            "--allow-root",
            f"--ServerApp.root_dir={self.folder}",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", QUIET, *options],
            env=self.environment,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None  # noqa: S101
            lines = iter(process.stderr.readline, "")
            found = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in lines)
            yield f"{next(filter(None, found))[0]}lab?token=screenshots"
        finally:
            process.terminate()
            process.communicate()


def keep(page: Any, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS)
    picture.save(IMAGES / f"{name}.png", optimize=True)
    print(name, (IMAGES / f"{name}.png").stat().st_size // 1000, "kB")


def show_panel(page: Any, link: str) -> None:
    page.goto(link)
    page.locator("[data-id='ipp-cluster-launcher']").click()
    page.locator(".ipp-ClusterListingItem", has_text="State: running").wait_for()
    keep(page, "panel")


def show_notebook(page: Any, link: str) -> None:
    page.goto(link.replace("/lab?", "/lab/tree/monte_carlo_options.ipynb?"))
    first = page.locator(".jp-Notebook .jp-Cell").first
    first.wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(state="attached")
    first.click()
    for _ in range(4):  # up to the cell that connects to the cluster
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(SETTLES_MS)
    page.locator(".jp-OutputArea-output", has_text="[0, 1, 2, 3]").first.wait_for()
    page.locator(".jp-CodeCell", has_text="ipp.Client()").first.scroll_into_view_if_needed()
    keep(page, "notebook")
    surface = page.locator(".jp-CodeCell", has_text="plots.surface_3d")
    surface.first.scroll_into_view_if_needed()
    surface.locator("img").first.scroll_into_view_if_needed()
    page.wait_for_timeout(SETTLES_MS)  # for pictures above it, which move it
    surface.locator("img").first.scroll_into_view_if_needed()
    keep(page, "pricer")


@contextmanager
def browsing() -> Iterator[Any]:
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(TIMEOUT_S * 1000)
            yield page
        finally:
            browser.close()


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        stage = Stage(Path(folder))
        stage.run("ipcluster-azure", "init", f"--profile={PROFILE}", "--template=emulator")
        config = Path(folder) / "ipython" / f"profile_{PROFILE}" / "ipcluster_config.py"
        config.write_text(config.read_text(encoding="utf-8") + CONFIG, encoding="utf-8")
        try:
            stage.run("ipcluster", "start", f"--profile={PROFILE}", "-n", "4", "--daemonize")
            command = ("ipcluster-azure", "notebook", f"--profile={PROFILE}", "--no-browser")
            on_cluster = stage.run(*command).splitlines()[-1]
            with stage.jupyterlab() as link, browsing() as page:
                show_panel(page, link)
                show_notebook(page, on_cluster)
            stage.run("ipcluster", "stop", f"--profile={PROFILE}")
        finally:
            stage.run("ipcluster-azure", "emulator", "stop")


if __name__ == "__main__":
    main()
