"""The notebook, run from top to bottom on a cluster on the emulator."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.complete import COMPLETE

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "monte_carlo_options" / "monte_carlo_options.ipynb"
# paths, in the gate; the notebook's own take more than a minute of CPU
FEWER = {"300_000": "60_000", "n_paths=100_000": "n_paths=30_000", "(16, 17, 18)": "(14, 15, 16)"}


@pytest.mark.timeout(400)
def test_the_notebook_runs_on_a_cluster_of_the_emulator(emulator, ipython_home, tmp_path):
    """Nothing may be left on the emulator afterwards: its fixture looks."""
    folder = ipython_home / "profile_notebook"
    folder.mkdir()
    (folder / "ipcluster_config.py").write_text(
        f"""
c = get_config()
c.Cluster.controller_launcher_class = "azurevm"
c.Cluster.engine_launcher_class = "azurevm"
c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMLauncher.python_environment = "image"
c.AzureVMLauncher.image_python = {sys.executable!r}
"""
    )
    result = tmp_path / "result.ipynb"
    notebook = NOTEBOOK if COMPLETE else shorter(tmp_path / "shorter.ipynb")
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "tools" / "execute_notebook.py"), str(notebook)),
            *("--output", str(result)),
        ],
        env={**os.environ, "IPCLUSTER_PROFILE": "notebook", "IPCLUSTER_ENGINES": "2"},
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert done.returncode == 0, done.stderr
    outputs = outputs_of(result)
    text = "".join(output.get("text", "") for output in outputs)
    assert "the same bits on all numbers of engines: True" in text
    shown = [output["data"] for output in outputs if "data" in output]
    images = [data["image/png"] for data in shown if "image/png" in data]
    assert len(images) == 7
    for image in images:
        assert base64.b64decode(image).startswith(b"\x89PNG")


def shorter(path):
    """The notebook with fewer paths, written to `path`."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    for own, fewer in FEWER.items():
        assert own in text
        text = text.replace(own, fewer)
    path.write_text(text, encoding="utf-8")
    return path


def test_what_the_repository_s_notebook_shows_is_complete_and_small():
    outputs = outputs_of(NOTEBOOK)
    assert sum("data" in output and "image/png" in output["data"] for output in outputs) == 7
    assert NOTEBOOK.stat().st_size < 250_000
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            compile("".join(cell["source"]).replace("%", "#"), "cell", "exec", flags=0x2000)


def test_a_failing_cell_is_shown_and_writes_nothing(tmp_path):
    notebook = tmp_path / "bad.ipynb"
    cell = {"cell_type": "code", "source": ["1 / 0"], "outputs": [], "metadata": {}}
    notebook.write_text(json.dumps({"cells": [cell]}))
    before = notebook.read_bytes()
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "execute_notebook.py"), str(notebook)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert notebook.read_bytes() == before


def outputs_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells for output in cell.get("outputs", [])]
