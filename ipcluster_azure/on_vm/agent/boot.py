"""What a job file's machines do as they boot: what a launcher would have done over SSH.

    python3 vm_boot.py controller      builds the environment, offers it, starts ipcontroller
    python3 vm_boot.py engines         joins the guard, takes what the controller offers, starts

customData runs it once, at the first boot, as the machines' user in the work directory, where it
has put boot.json, composed by the template, and the programs. Any Python from 3.8 on and its
standard library. What it does is in log/boot.log; how far it came, in boot_state.json:
{"state": "starting" | "running" | "failed", "doing", "reason"}.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from .processes import Json
from .work_dir import WorkDir, private, read_json, say, write_json

STATE = "boot_state.json"
ATTEMPTS, PAUSE_S = 5, 10.0  # of what needs the network, which comes up beside this


class Failed(Exception):
    """Says what could not be done."""


class Boot:
    """The boot of one machine. `settings` are those of D/boot.json."""

    def __init__(self, work: WorkDir) -> None:
        self.work = work
        self.settings: Json = read_json(work.root / "boot.json")
        self.is_built = self.settings["kind"] != "image"

    @property
    def system_python(self) -> str:
        return sys.executable

    @property
    def python(self) -> str:
        """The Python that has ipyparallel."""
        return "env/bin/python" if self.is_built else str(self.settings["image_python"])

    def note(self, state: str, doing: str, reason: str = "") -> None:
        say(f"{state}: {doing}{reason and ': '}{reason}")
        content = {"state": state, "doing": doing, "reason": reason}
        write_json(self.work.root / STATE, content)

    def run(self, doing: str, command: Sequence[str], attempts: int = 1) -> dict[str, Json]:
        """Run a command; returns the events that it prints, by name. Raises Failed."""
        self.note("starting", doing)
        for attempt in range(attempts):
            if attempt:
                time.sleep(PAUSE_S)
            status, events = self._run(command)
            if not status:
                return events
        reason = events.get("failed", {}).get("reason", f"it ended with status {status}")
        raise Failed(f"{doing}: {reason}")

    def _run(self, command: Sequence[str]) -> tuple[int, dict[str, Json]]:
        say(" ".join(command))
        with_variables = ["/bin/sh", "-c", '. ./variables.sh && exec "$@"', "boot", *command]
        done = subprocess.run(
            with_variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            cwd=self.work.root,
        )
        events: dict[str, Json] = {}
        for line in done.stdout.decode(errors="replace").splitlines():
            if not line.startswith("{"):
                say(line)
                continue
            event: Json = json.loads(line)
            name = str(event.pop("event"))
            events[name] = event
            # the others may hold the cluster's key
            say(f"{name}: {event['reason']}" if "reason" in event else name)
        return done.returncode, events


def main(argv: list[str]) -> int:
    """Run one of the two; returns the exit status."""
    from .boot_controller import start_controller
    from .boot_engines import start_engines

    starts: dict[str, Callable[[Boot], None]] = {
        "controller": start_controller,
        "engines": start_engines,
    }
    work = WorkDir(".")
    with work.starting():
        sys.stderr = open(work.log / "boot.log", "a", opener=private)  # noqa: SIM115 - to the end
    boot = Boot(work)
    with open(work.root / "variables.sh", "w", encoding="utf-8", opener=private) as file:
        file.write(boot.settings["variables"])
    try:
        starts[argv[0]](boot)
    except (Failed, OSError, ValueError, KeyError) as error:
        boot.note("failed", argv[0], str(error) or repr(error))
        return 1
    boot.note("running", argv[0])
    return 0
