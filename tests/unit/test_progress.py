"""The bar in a notebook: a widget where there are widgets, text where there are none."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

TIMEOUT_S = 90
WIDGET = "application/vnd.jupyter.widget-view+json"
COUNT = """
import logging, warnings
from ipcluster_azure.progress import Progress

warnings.simplefilter("always")
with Progress(logging.getLogger("quiet")).counting("Booted", 4) as counter:
    counter.set(1)
    counter.set(4)
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Any]:
    """The client of a kernel of its own."""
    manager = KernelManager()
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=TIMEOUT_S)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def _run(kernel: Any, code: str) -> tuple[str, list[dict[str, Any]]]:
    """What the cell prints on either stream, and the data of what it displays."""
    printed, displayed = [], []

    def on_output(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            printed.append(content["text"])
        elif message["msg_type"] == "display_data":
            displayed.append(content["data"])

    reply = kernel.execute_interactive(code, output_hook=on_output, timeout=TIMEOUT_S)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed), displayed


def test_a_notebook_with_widgets_shows_one(kernel: Any) -> None:
    printed, displayed = _run(kernel, COUNT)
    assert any(WIDGET in data for data in displayed)
    assert "|" not in printed  # the bar of a terminal


def test_a_notebook_without_widgets_shows_text_and_no_warning(kernel: Any) -> None:
    printed, displayed = _run(kernel, f"import sys; sys.modules['ipywidgets'] = None\n{COUNT}")
    assert displayed == []
    assert "Booted:   0%|" in printed
    assert "Warning" not in printed
