"""The programs that are tried: ipcontroller until it is ready, ipengine until it would connect.

Runs in the process of trial.py. `given` is what given.json holds (profile_trial.py writes it).
"""

import argparse
import importlib.util
import json
import logging
import os
from pathlib import Path
from typing import Any, NoReturn

from traitlets.config.loader import ArgumentError, PyFileConfigLoader

from ..settings.trait_words import in_words
from .trial_names import classes_of, faults
from .trial_outcome import Outcome

STEADY_S = 0.1  # after which the processes of a controller that came up are looked at
UNKNOWN_ALIAS = "Unrecognized alias"  # traitlets' warning, by which it lets an option pass


def try_controller(given: dict[str, Any], outcome: Outcome) -> None:
    """Be ipcontroller until it is ready."""
    from ipyparallel.controller.app import IPController
    from ipyparallel.controller.broadcast_scheduler import BroadcastScheduler
    from ipyparallel.controller.dictdb import DictDB, NoDB

    app = IPController.instance()
    observe(app, given, outcome)
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
    observe(app, given, outcome)
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


def observe(app: Any, given: dict[str, Any], outcome: Outcome) -> None:
    """Have what the application would only log, print or pass over raised or noted."""
    read = PyFileConfigLoader._read_file_as_dict

    def read_and_note(loader: PyFileConfigLoader) -> None:
        if not loader.full_filename.startswith(given["profile"]):
            outcome.warned.append(f"{loader.full_filename} is not sent to them")
        read(loader)

    PyFileConfigLoader._read_file_as_dict = read_and_note  # type: ignore[method-assign,assignment]
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
