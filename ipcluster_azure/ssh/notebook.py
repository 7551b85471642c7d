"""JupyterLab on the controller's machine: looked for, installed and started.

The programs for it, notebook.py and notebook_files.py of on_vm/scripts, come with each command:
machines that an older version set up have none, or others.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..record.contents import Record
from .bundle import ON_VM, tar_of, update_upload
from .commands import BARE, SET_VARIABLES, Command, shell, system_python
from .connection import Connection
from .machine_lock import LOCK, machine_lock
from .own_files import ANSWER_S, Event
from .packages import BUILD, RECEIVE, Packages, build_environment

SCRIPT, FILES_SCRIPT = "vm_notebook.py", "vm_notebook_files.py"
FOLDER = "notebook"
IN_FOLDER = f"--dir={FOLDER}"
EXAMPLES = "ipcluster_azure.examples"
START_S = 150.0  # more than the script gives itself


@dataclass(frozen=True)
class Started:
    """A JupyterLab that answers at `port` of the controller's address; `kept` are files that were
    edited there, and of which there would be something newer."""

    port: int
    token: str
    kept: list[str]


async def look(gate: Connection, record: Record) -> Event:
    """Return what on_vm/scripts/notebook.py tells of the controller's machine."""
    words = [system_python(record.environment), BARE, "-", "look", f"--python={_python(record)}"]
    events = await gate.events(shell(words), stdin=_script(), timeout_s=ANSWER_S)
    return events["looked"]


async def install(
    gate: Connection, packages: Packages, python: str, on_progress: Callable[[str], None]
) -> None:
    """Make an environment with JupyterLab beside that of the engines.

    `python` is its minor version. Raises BootstrapFailed, or what `packages.carry` raises.
    """
    data = update_upload({f"{FOLDER}/{LOCK}": machine_lock(packages.lock, python)})
    # two at once would unlink each other's files
    unpack: list[Command] = [["flock", ".", "tar", "-xf", "-"], SET_VARIABLES]
    build, receive = ([*words[:-1], IN_FOLDER, words[-1]] for words in (BUILD, RECEIVE))
    await build_environment(gate, packages, unpack, data, on_progress, build, receive)


async def start(gate: Connection, record: Record, *, has_lab: bool) -> Started:
    """Start JupyterLab, unless it runs, with the Python that has it; raises BootstrapFailed."""
    wanted = {
        "python": _python(record),
        "lab": _python(record) if has_lab else f"{FOLDER}/env/bin/python",
        "address": record.controller.address,
        "cluster_id": record.cluster_id,
    }
    python: Command = [system_python(record.environment), BARE]
    command = shell(
        ["tar", "-xf", "-"],
        SET_VARIABLES,
        [*python, FILES_SCRIPT, f"--archive={record.own_files.sha256}"],
        [*python, SCRIPT, "start", f"--wanted={json.dumps(wanted)}"],
    )
    events = await gate.events(command, stdin=_upload(), timeout_s=START_S)
    told = events["notebook"]
    return Started(told["port"], told["token"], events["files"]["kept"])


def _python(record: Record) -> str:
    """Return the Python of the engines, as the script finds it in the work directory."""
    environment = record.environment
    return "env/bin/python" if environment.is_built else environment.image_python


def _upload() -> bytes:
    """Return an archive of the scripts and of the examples: their notebooks, and as a package."""
    package = ON_VM.parent
    files = {"ipcluster_azure/__init__.py": (package / "__init__.py").read_bytes()}
    for folder in find_spec(EXAMPLES).submodule_search_locations or ():  # type: ignore[union-attr]
        for path in sorted(Path(folder).rglob("*.py")):
            inside = path.relative_to(folder).as_posix()
            files[f"{EXAMPLES.replace('.', '/')}/{inside}"] = path.read_bytes()
        files |= {path.name: path.read_bytes() for path in Path(folder).rglob("*.ipynb")}
    examples = {f"{FOLDER}/examples/{name}": content for name, content in files.items()}
    put_files = (ON_VM / "scripts" / "notebook_files.py").read_bytes()
    return tar_of({SCRIPT: _script(), FILES_SCRIPT: put_files, **examples})


def _script() -> bytes:
    return (ON_VM / "scripts" / "notebook.py").read_bytes()
