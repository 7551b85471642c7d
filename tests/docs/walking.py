"""Types what a page tells its reader to type: commands, programs, and the cells of a notebook.

The notebook is opened by the command of the page itself, in Chromium.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.jupyter import browsing

from .markdown import blocks, section

STEP_TIMEOUT_S = 300.0
SETTLES_MS, TRIES = 1000, 30  # until a cell shows that it was run
KERNEL = "Python of the engines"
OPENS_NOTEBOOK = "ipcluster-azure notebook"
CELL = "cell"  # the language of a block that is typed into the notebook


@dataclass(frozen=True)
class Step:
    """One block of a page. `language` is sh, python or cell."""

    language: str
    code: str


@dataclass(frozen=True)
class Done:
    """A step that was typed, what it printed, and how many seconds it took."""

    step: Step
    output: str
    took_s: float


def steps_of(page: Path, heading: str) -> list[Step]:
    """Return a section's blocks in order; Python behind the notebook's command is for its cells."""
    found: list[Step] = []
    opened = False
    for language, code in blocks(section(page, heading)):
        opened = opened or OPENS_NOTEBOOK in code
        found.append(Step(CELL if opened and language == "python" else language, code))
    return found


def walk(steps: list[Step], folder: Path, environment: Mapping[str, str]) -> Iterator[Done]:
    """Type one step after the other in `folder`, and yield each when it is done.

    Raises AssertionError, with what was printed, if one fails.
    """
    with ExitStack() as stack:
        browser = _Browser(folder.parent / "browser", stack)
        environment = {**environment, "BROWSER": browser.command}
        for step in steps:
            began = time.monotonic()
            if step.language == CELL:
                output = browser.run_cell(step.code)
            else:
                output = _run(step, folder, environment)
            yield Done(step, output, time.monotonic() - began)


def _run(step: Step, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a block as a user would, in a process of its own."""
    command = {
        "sh": ["sh", "-e", "-c", step.code],
        "python": [sys.executable, "-c", step.code],
    }[step.language]
    # files, not pipes: what a command leaves running would keep a pipe open
    output = folder / "output"
    with open(output, "wb") as file:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
    text = output.read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, f"{step.code}\nended with {done.returncode}:\n{text}"
    return text


class _Browser:
    """The user's browser, which the commands find by `command`, and a notebook in it.

    The command notes what it is to open; that is opened in Chromium with the first cell.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        folder.mkdir()
        self._stack, self._count = stack, 0
        self._page: Any = None
        self._told, program = folder / "told", folder / "open"
        program.write_text(f'#!/bin/sh\nprintf %s "$1" > "{self._told}"\n', encoding="utf-8")
        program.chmod(0o700)
        self.command = str(program)

    def run_cell(self, code: str) -> str:
        """Type the next cell and return what it shows, `<img>` for a picture.

        Raises AssertionError if the cell fails.
        """
        self._page = page = self._page or self._open()
        cell = page.locator(".jp-Notebook .jp-Cell").nth(self._count)
        self._count += 1
        cell.locator(".cm-content").click()
        page.keyboard.insert_text(code.rstrip("\n"))
        prompt = cell.locator(".jp-InputArea-prompt")
        for _ in range(TRIES):
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(SETTLES_MS)
            if prompt.inner_text() != "[ ]:":
                break
            # it was dropped: the kernel is shown as idle a moment before it is connected
            cell.locator(".cm-content").click()
        prompt.get_by_text(f"[{self._count}]:", exact=True).wait_for(
            timeout=STEP_TIMEOUT_S * 1000  # the first one imports what was just installed
        )
        shown = cell.locator(".jp-OutputArea-output")
        text: str = "\n".join(shown.all_inner_texts()) + "\n<img>" * shown.locator("img").count()
        assert cell.locator("[data-mime-type$='error']").count() == 0, text
        return text

    def _open(self) -> Any:
        page = self._stack.enter_context(browsing())
        page.goto(self._told.read_text(encoding="utf-8"))
        page.locator(".jp-LauncherCard", has_text=KERNEL).first.click()
        idle = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
        page.locator(idle).wait_for(state="attached")
        return page
