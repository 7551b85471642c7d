"""A process that tries a profile's configuration of ipcontroller or ipengine, before it costs.

`python -m ipcluster_azure.start.trial FOLDER`, where profile_trial.py has put given.json and a copy
of the profile. It is an ipcontroller itself, on the loopback network, until that is ready; or an
ipengine until it would connect. Nothing of the user's set-up of engines is run.

What it finds is in outcome.json then: {"refused": [...], "warned": [...], "files": [...]}, the last
with name and path of each file that engines would run. It ends, and with it all that it or the
configuration has started, at the time limit, and when its standard input does: that is a pipe from
the process that waits for it.
"""

import argparse
import contextlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import psutil
from traitlets.config.loader import ArgumentError

from ..settings.trait_words import in_words
from .trial_faults import judged
from .trial_names import classes_of, faults

READY_LOOK_S = 0.02
STEADY_S = 0.1  # after which the processes of a controller that came up are looked at
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
UNKNOWN_ALIAS = "Unrecognized alias"  # traitlets' warning, by which it lets an option pass


class Outcome:
    """What was found; `end` writes it and ends the process, once, from whichever thread."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self.refused: list[str] = []
        self.warned: list[str] = []
        self.files: list[tuple[str, str]] = []

    def add(self, error: BaseException, folder: str) -> None:
        mistake = judged(error, folder)
        (self.refused if mistake.certain else self.warned).append(mistake.text)

    def end(self) -> NoReturn:
        self._lock.acquire()  # for good: the other thread must not get in between
        refused, warned = dict.fromkeys(self.refused), dict.fromkeys(self.warned)
        members = {"refused": [*refused], "warned": [*warned], "files": self.files}
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(members), encoding="utf-8")
        part.replace(self._file)
        end_process()


def end_process() -> NoReturn:
    """End whatever was started from here, then this process, without a last word of either."""
    own = psutil.Process()
    while children := own.children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        with contextlib.suppress(ChildProcessError, AttributeError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(READY_LOOK_S)
    os._exit(0)


def stand_apart() -> int:
    """Have nothing seen that is printed here, and no process escape; return the parent's pipe."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pipe = os.dup(0)
    with open(os.devnull, "r+b", buffering=0) as nothing:
        for number in (0, 1, 2):
            os.dup2(nothing.fileno(), number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return pipe


def watch_parent(pipe: int, folder: Path) -> None:
    """End when the process that waits for this one has ended; nobody else removes the folder."""
    os.read(pipe, 1)
    shutil.rmtree(folder, ignore_errors=True)
    end_process()


def watch_clock(outcome: Outcome, limit_s: float) -> None:
    time.sleep(limit_s)
    outcome.warned.append(f"it was not ready within {limit_s:g} s, and so was not checked")
    outcome.end()


def try_controller(given: dict[str, Any], outcome: Outcome) -> None:
    """Be ipcontroller until it is ready."""
    from ipyparallel.controller.app import IPController
    from ipyparallel.controller.broadcast_scheduler import BroadcastScheduler
    from ipyparallel.controller.dictdb import DictDB, NoDB

    app = IPController.instance()
    observe(app, outcome)
    init_hub = app.init_hub

    def init_hub_without_database() -> None:
        if app.db_class not in (DictDB, NoDB):  # the class was found; its data are the cluster's
            app.db_class = NoDB
        init_hub()

    app.init_hub = init_hub_without_database
    app.initialize(given["words"])
    note_faults(app, (BroadcastScheduler,), outcome)
    app.loop.call_later(0, lambda: when_ready(app, outcome))
    app.start()


def when_ready(app: Any, outcome: Outcome) -> None:
    """Look at a controller whose event loop runs: its processes, and what it tells the others."""
    security = Path(app.profile_dir.security_dir)
    name = f"ipcontroller-{app.cluster_id}" if app.cluster_id else "ipcontroller"
    files = [security / f"{name}-{side}.json" for side in ("client", "engine")]
    if not all(file.exists() for file in files):
        outcome.refused.append("client_json_file and engine_json_file are set by the launcher")
    else:
        for info in (json.loads(file.read_text(encoding="utf-8")) for file in files):
            if not info["interface"].startswith("tcp://"):
                outcome.refused.append("transport must be tcp: engines are on other machines")
            if info["ssh"]:
                outcome.refused.append("ssh_server and engine_ssh_server are set by the launcher")

    def look_at_processes() -> None:
        for child in (*app.children, app.heartmonitor_process):
            process = getattr(child, "launcher", child)
            if hasattr(process, "exitcode") and process.exitcode:
                outcome.refused.append(f"its process {child.name} ended with {process.exitcode}")
        outcome.end()

    app.loop.call_later(STEADY_S, look_at_processes)


def try_engine(given: dict[str, Any], outcome: Outcome) -> None:
    """Be ipengine until it would connect; find the files that it would run."""
    from ipykernel.kernelapp import IPKernelApp
    from ipyparallel.engine.app import IPEngine

    app = IPEngine.instance()
    observe(app, outcome)
    app.initialize(given["words"])
    note_faults(app, (IPKernelApp, *IPKernelApp.classes), outcome)
    names = list(app.config.IPKernelApp.exec_files)
    for section in ("IPKernelApp", "InteractiveShellApp"):
        if "file_to_run" in app.config[section]:
            names.append(app.config[section].file_to_run)
    for name in names:
        find_file(name, given, app.ipython_dir, outcome)
    for section in ("IPKernelApp", "InteractiveShellApp"):
        for kind in ("extensions", "extra_extensions"):
            if kind in app.config[section]:
                for name in app.config[section][kind]:
                    look_for_extension(name, outcome)


def look_for_extension(name: str, outcome: Outcome) -> None:
    """Warn of an IPython extension that no package has here: nothing brings it to the machines."""
    package = name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(f"IPython.extensions.{package}") or (
            importlib.util.find_spec(package)
        )
    except (ImportError, ValueError):
        spec = None
    if spec is None or not (spec.origin is None or "site-packages" in spec.origin):
        outcome.warned.append(
            f"extension {name} is of no package that is installed here, and is not sent: the "
            "engines need it in c.AzureVMLauncher.requirements or on their image"
        )


def find_file(name: str, given: dict[str, Any], ipython_dir: str, outcome: Outcome) -> None:
    """Find a file as an engine on this computer would, or in the profile."""
    from IPython.utils.path import filefind

    here = name.replace(given["profile"], given["profile_dir"])  # what was made of __file__
    try:
        path = filefind(os.path.expanduser(here), [os.getcwd(), ipython_dir, given["profile_dir"]])
    except OSError:
        outcome.files.append((name, ""))
    else:
        outcome.files.append((name, os.path.abspath(path)))


def observe(app: Any, outcome: Outcome) -> None:
    """Have what the application would only log, print or pass over raised or noted."""
    app.raise_config_file_errors = True
    argparse.ArgumentParser.error = refuse  # type: ignore[method-assign,assignment]

    def note(entry: logging.LogRecord) -> bool:
        if str(entry.msg).startswith(UNKNOWN_ALIAS):
            outcome.refused.append(f"--{entry.args[0]} is not an option")  # type: ignore[index]
        if str(entry.msg).startswith("Bad config encountered") and entry.args:
            outcome.refused.append(in_words(str(entry.args[0])).rstrip("."))  # type: ignore[index]
        return True

    app.log.addFilter(note)


def refuse(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """Take the place of ArgumentParser.error, which prints its message where nobody sees it."""
    raise ArgumentError(message)  # which traitlets handles as it does its own


def note_faults(app: Any, others: tuple[type, ...], outcome: Outcome) -> None:
    outcome.refused += faults(app.config, classes_of(app, others), app._deprecated_classes)
    outcome.refused += [f"{word!r} is not an option" for word in app.extra_args]


def main() -> NoReturn:
    folder = Path(sys.argv[1])
    given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
    outcome = Outcome(folder / "outcome.json")
    pipe = stand_apart()
    threading.Thread(target=watch_parent, args=(pipe, folder), daemon=True).start()
    clock = threading.Thread(target=watch_clock, args=(outcome, given["limit_s"]), daemon=True)
    clock.start()
    os.environ.update(given["variables"])
    sys.argv = [given["kind"], *given["words"]]
    try:
        {"ipcontroller": try_controller, "ipengine": try_engine}[given["kind"]](given, outcome)
    except BaseException as error:
        if not outcome.refused:
            outcome.add(error, given["profile"])
    outcome.end()


if __name__ == "__main__":
    main()
