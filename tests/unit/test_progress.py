"""What is said while something lasts, and a notebook's bar: one output, changed in place, with or
without ipywidgets."""

import asyncio
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from ipcluster_azure.progress import Progress

from .conftest import Clock

TIMEOUT_S = 90
SET_UP = """
import asyncio, logging, warnings
from ipcluster_azure import progress
from types import SimpleNamespace
from ipcluster_azure.launchers.start_view import progress_of, start_shown

warnings.simplefilter("always")
log = logging.getLogger("start")
log.handlers, log.propagate = [logging.StreamHandler(sys.stdout)], False
log.setLevel(LEVEL)
class Launcher(SimpleNamespace):
    __hash__ = object.__hash__
launcher = Launcher(parent=None, log=log)
"""
COUNT = f"""{SET_UP}
with start_shown(launcher, first=True, last=False):
    progress_of(launcher).promise("It is <deleted> at 5.")
    progress_of(launcher).say("Asking")
log.info("Between the two")
with start_shown(launcher, first=False, last=True):
    with progress_of(launcher).counting("booted", 4) as counter:
        for done in range(5):
            counter.set(done)
    log.warning("Take care")
    progress_of(launcher).say("4 of 4 booted")
log.info("Afterwards")
"""
REMIND = f"""{SET_UP}
progress.REPEAT_S = 0.1
with start_shown(launcher, first=True, last=True):
    said = progress_of(launcher)
    said.say("Asking")
    with said.reminding():
        while "..." not in said.bar.text:
            await asyncio.sleep(0.05)
    said.say("Done")
"""
SECONDS = re.compile(r"[(]\d+[.]\d s[)]")


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


def _run(
    kernel: Any, before: str, level: str, code: str = COUNT
) -> tuple[str, str, list[dict[str, Any]]]:
    """What the cell prints on each of the streams, and the pictures of its one display."""
    printed, pictures = {"stdout": "", "stderr": ""}, []

    def on_output(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            printed[content["name"]] += content["text"]
        elif message["msg_type"].endswith("display_data"):
            assert (message["msg_type"] == "display_data") == (not pictures)
            pictures.append(content)

    code = f"import sys\n{before}\n{code.replace('LEVEL', level)}"
    reply = kernel.execute_interactive(code, output_hook=on_output, timeout=TIMEOUT_S)
    assert reply["content"]["status"] == "ok", reply["content"]
    assert len({picture["transient"]["display_id"] for picture in pictures}) <= 1
    return printed["stdout"], printed["stderr"], [picture["data"] for picture in pictures]


@pytest.mark.parametrize("before", ["", "sys.modules['ipywidgets'] = None"])
def test_a_start_in_a_notebook_is_one_bar_and_one_closing_line(kernel: Any, before: str) -> None:
    printed, errors, pictures = _run(kernel, before, "'INFO'")
    assert SECONDS.sub("", printed).splitlines() == [
        "Take care",
        "4 of 4 booted . It is <deleted> at 5.",
        "Afterwards",
    ]
    assert errors == ""
    texts = [SECONDS.sub("", picture["text/plain"]) for picture in pictures]
    assert f"[{'-' * 30}] Asking " in texts
    assert f"[{'-' * 30}] Between the two" in texts
    assert texts[-1] == f"[{'#' * 30}] 4 of 4 booted "
    assert '<progress value="4" max="4"></progress> ' in pictures[-1]["text/html"]
    assert "It is &lt;deleted&gt; at 5." in pictures[0]["text/html"]


def test_the_level_debug_brings_the_lines_back(kernel: Any) -> None:
    printed, errors, pictures = _run(kernel, "", "'DEBUG'")
    assert [line.partition(" (")[0] for line in printed.splitlines()] == [
        "It is <deleted> at 5.",
        "Asking",
        "Between the two",
        "booted: 4 of 4",
        "Take care",
        "4 of 4 booted",
        "Afterwards",
    ]
    assert (errors, pictures) == ("", [])


def test_a_reminder_is_the_text_of_the_bar(kernel: Any) -> None:
    printed, errors, pictures = _run(kernel, "", "'INFO'", REMIND)
    assert SECONDS.sub("", printed) == "Done \n"
    assert errors == ""
    assert any("Asking ... (" in picture["text/plain"] for picture in pictures)


async def test_the_last_step_is_said_again_while_nothing_else_is(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress(logging.getLogger("test"), clock=lambda: clock.now_s)

    async def lasts(seconds: int) -> None:
        for _ in range(10 * seconds):
            await asyncio.sleep(0.1)

    with progress.reminding():
        await lasts(12)  # there is nothing to be said again yet
        progress.say("Installing")
        await lasts(11)
        progress.say("Packing")
        await lasts(2)
        with progress.counting("machines", 3) as counter:
            await lasts(2)
            counter.set(3)
            await lasts(6)
    await lasts(20)  # nothing lasts any more
    assert caplog.messages == [
        "Installing (12.0 s)",
        "Installing ... (5 s)",
        "Installing ... (10 s)",
        "Packing (23.0 s)",
        "machines: 3 of 3 (27.0 s)",
        "machines: 3 of 3 ... (5 s)",
    ]
