"""How the demo does its steps: the commands a user types, each to its end, and what it says."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

COMMAND_TIMEOUT_S = 120.0
BIN = Path(sys.executable).parent
ALREADY_STARTED, ALREADY_STOPPED = 10, 11  # exit status of `ipcluster start` and `stop`


class DemoError(Exception):
    """A step failed; the message is the reason, with the end of the command's output."""

    def __init__(self, reason: str, returncode: int | None = None) -> None:
        super().__init__(reason)
        self.returncode = returncode


def say(text: str) -> None:
    with suppress(BrokenPipeError):  # `make demo | head` must get as far as the clean-up
        print(text, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is being done and, afterwards, how long it took."""
    say(f"\n== {title}")
    begin_s = time.monotonic()
    outcome = "failed after"
    try:
        yield
        outcome = "done in"
    finally:
        say(f"   {outcome} {time.monotonic() - begin_s:.1f} s")


def run(*command: str) -> str:
    """Run a command of this environment and return its standard output.

    Raises DemoError if it can't be started, fails or takes too long; in no case is it still
    running afterwards.
    """
    say(f"   $ {' '.join(command)}")
    # Files, not pipes: what a command leaves running would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends the command
        )
        try:
            process.wait(COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            outcome = f"took more than {COMMAND_TIMEOUT_S:.0f} s"
        else:
            outcome = f"exit status {process.returncode}"
        finally:
            end(process)
        texts = [file.read() for file in (out, err) if file.seek(0) == 0]
    if outcome != "exit status 0":
        tail = "".join(f"\n   | {line}" for line in "".join(texts).splitlines()[-20:])
        raise DemoError(f"{' '.join(command)}: {outcome}{tail}", process.returncode)
    return texts[0]


def run_anyway(*command: str) -> None:
    """Run a command of the clean-up, whose failure must not keep the next one from running."""
    try:
        run(*command)
    except DemoError as error:
        say("   nothing to stop" if error.returncode == ALREADY_STOPPED else f"   {error}")
    except OSError as error:
        say(f"   {error}")


def end(process: "subprocess.Popen[bytes]") -> None:
    """End the process if it still runs: on SIGTERM `ipcluster start` undoes its work."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_json(output: str, *keys: str) -> dict[str, Any]:
    """The JSON object on the last line of a command's output, which has all the keys."""
    try:
        value = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        value = None
    if not isinstance(value, dict) or not set(keys) <= set(value):
        raise DemoError(f"JSON with {', '.join(keys)} was expected in {output[-500:]!r}")
    return value
